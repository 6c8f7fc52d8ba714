"""The prose of docstrings: one test per rule."""

from __future__ import annotations

from inspect import cleandoc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertsmith.corpus.python_documentation.prose import clean_docstring

FIRST = "The first sentence of the text is here."
LAST = "The last sentence of the text is here."


def prose(docstring: str) -> list[str]:
    return [paragraph.text for paragraph in clean_docstring(cleandoc(docstring)) if not paragraph.reason]


def reasons(docstring: str) -> list[str]:
    return [paragraph.reason for paragraph in clean_docstring(cleandoc(docstring)) if paragraph.reason]


def between(block: str) -> str:
    return f"{FIRST}\n\n{block}\n\n{LAST}"


def test_lines_of_a_paragraph_are_joined_and_paragraphs_kept_apart() -> None:
    assert prose("The text of a\nparagraph is wrapped\nby hand.\n\nThis is the second one of them.") == [
        "The text of a paragraph is wrapped by hand.",
        "This is the second one of them.",
    ]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (">>> add(1, 2)\n3\n>>> for x in y:\n...     print(x)\nThe output is a line of text as well.", "doctest"),
        ("In [1]: run()\nOut[1]: This is the output of the call.", "doctest"),
        ("```python\nvalue = 1\n\nThis is inside the fence and is code.\n```", "code"),
        (".. code-block:: python\n\n    This is in the body of the code.\n\n    And so is this line of it.", "code"),
        (".. math::\n    This is in the body of the maths.", "code"),
        ("value = the_function(of, the, arguments)\nother = 2", "code"),
        ("Parameters\n----------\nx : int\n    This is the entry of the parameter.\n\nNotes\n-----", "parameters"),
        ("Args:\n    x (int): This is what the value is for.\n\n    y: This is the other one of them.", "parameters"),
        ("Returns: This is what the function returns to you.", "parameters"),
        ("Raises:\n    ValueError: This is when the value is wrong.", "parameters"),
        (":param x: This is what the value is for,\n    and it goes on in this line.\n:rtype: int", "parameters"),
        ("@param x: This is what the value is for.", "parameters"),
        ("The Title of This Section of Text\n=================================", "heading"),
        ("## The title of this section of the text.", "heading"),
        ("=====  =====\nThis is a row of the table.\n=====  =====", "table"),
        ("| this is | one row of the table. |\n|---------|-----------|\n| a | b |", "table"),
        ("+-----+-----+\n| This is a row of the table. |\n+-----+-----+", "table"),
        ("function(this, has, the=1, arguments=2) -> int", "signature"),
        (".. [1] This is the title of a paper, by the authors.\n   The second line of it is here.", "reference"),
        ("This file is under the licence that is named in it.", "licence"),
        ("Copyright (c) by the people who wrote all of this.", "licence"),
        (r"The value of :math:`\frac{a}{b}` is the one that we want.", "maths"),
        ("See the page at https://example.org for more of this.", "address"),
        ("This is a line without the sign at its end", "unfinished"),
        ("and this is the second half of a sentence.", "fragment"),
        ("Too short for this.", "short"),
        ("A value of a[i][j] + b[i] == c_{ij} -> d{k} for it.", "symbols"),
        ("Float, double, integer, string, bytes, tuples, lists, sets.", "terse"),
    ],
)
def test_what_is_not_prose_is_dropped_with_its_reason(block: str, reason: str) -> None:
    assert prose(between(block)) == [FIRST, LAST]
    assert set(reasons(between(block))) - {"heading"} == {reason} - {"heading"}
    assert reason in reasons(between(block))


def test_the_block_after_a_double_colon_is_literal_and_the_lead_in_becomes_a_sentence() -> None:
    docstring = """
        The function is used in the following way::

            This is literal text, whatever it looks like.

            This is the second half of the same.

        This is prose again, after the block.
        """
    assert prose(docstring) == [
        "The function is used in the following way.",
        "This is prose again, after the block.",
    ]


def test_a_lead_in_that_hangs_in_the_air_is_cut() -> None:
    assert prose(f"{FIRST} The values of the function are such that:\n\n    x = 1") == [FIRST]
    assert prose(f"{FIRST} For example:\n\n    x = 1") == [FIRST]


def test_the_text_of_notes_is_kept_without_their_marks() -> None:
    docstring = f"""
        {FIRST}

        .. note:: This is what a reader
            has to know about it.

        .. warning::
            This is what a reader has to fear.

        .. versionchanged:: 3.2
            This is now another way of doing it.

        Note: This is the form of another dialect.
        """
    assert prose(docstring) == [
        FIRST,
        "This is what a reader has to know about it.",
        "This is what a reader has to fear.",
        "This is now another way of doing it.",
        "This is the form of another dialect.",
    ]


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("``value``", "value"),
        ("`value`", "value"),
        (":class:`~torch.Tensor`", "torch.Tensor"),
        (":meth:`.Engine.run`", "Engine.run"),
        (":py:func:`the function <package.function>`", "the function"),
        ("[`~generation.Sampler`]", "generation.Sampler"),
        ("`the page <https://example.org>`_", "the page"),
        ("[the page](https://example.org)", "the page"),
        ("**much** of *it*", "much of it"),
        ("*args and **kwargs", "*args and **kwargs"),
        ("value [1]_", "value"),
        ("<b>value</b>", "value"),
    ],
)
def test_inline_markup_is_removed(marked: str, plain: str) -> None:
    assert prose(f"The text says that {marked} is what one gets from it.") == [
        f"The text says that {plain} is what one gets from it."
    ]


def test_each_item_of_a_list_is_a_paragraph() -> None:
    docstring = """
        There are two ways in which this is done:
        - The first of them is the one
          that you know.
        - The second of them is in this item.
        """
    assert prose(docstring) == [
        "There are two ways in which this is done.",
        "The first of them is the one that you know.",
        "The second of them is in this item.",
    ]


def test_the_text_of_a_definition_is_kept_without_its_term() -> None:
    assert prose(f"{FIRST}\n\nalpha : float\n    The rate at which the values go down.") == [
        FIRST,
        "The rate at which the values go down.",
    ]


def test_a_summary_line_gets_its_full_stop_and_other_text_does_not() -> None:
    assert prose("Return the number of rows in the table\n\nAnd the columns of the table as well") == [
        "Return the number of rows in the table."
    ]


def test_a_sentence_may_begin_with_a_name_in_code() -> None:
    assert prose(f"{FIRST}\n\n``indexer`` is the place in which it is.") == [
        FIRST,
        "indexer is the place in which it is.",
    ]


def test_half_a_character_becomes_a_question_mark() -> None:
    assert prose("The text holds \ud800 and that is half of a character.") == [
        "The text holds ? and that is half of a character."
    ]


@given(st.text(alphabet=st.sampled_from("ab A.:`*_-=+|~<>[](){}#@\\$\n\t >.1") | st.characters(), max_size=300))
@example("\ud800")
@example("::")
@example(".. note::")
@example("=== ===")
def test_any_text_comes_back_as_prose_or_with_a_reason(text: str) -> None:
    for paragraph in clean_docstring(text):
        assert paragraph.reason or len(paragraph.text.split()) >= 6
        assert "\n" not in paragraph.text
        paragraph.text.encode("utf-8")

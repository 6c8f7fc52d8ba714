"""The model card's front matter can be read back, and its tables hold any text."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml as escape

from bertsmith.reporting.model_card import code, code_block, escape_markdown, markdown_table, model_card
from bertsmith.reporting.svg import printable

letters = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
values = st.recursive(letters | st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=3))


def read_back(card: str) -> tuple[dict[str, Any], str]:
    """Front matter and body, split as the Hub does."""
    match = re.match(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    assert match is not None
    return yaml.safe_load(match[1]), match[2]


def test_a_card() -> None:
    card = model_card(
        title="wiki-small",
        tags=["bert", "fill-mask"],
        summary="A small BERT.",
        sections=[("Use", "Load it.\n"), ("Limits", "It knows little.")],
        metadata={"pipeline_tag": "fill-mask", "language": ["en"], "license": "apache-2.0"},
    )
    front, body = read_back(card)
    assert front == {
        "library_name": "transformers",
        "tags": ["bert", "fill-mask"],
        "pipeline_tag": "fill-mask",
        "language": ["en"],
        "license": "apache-2.0",
    }
    assert body == "\n# wiki-small\n\nA small BERT.\n\n## Use\n\nLoad it.\n\n## Limits\n\nIt knows little.\n"


@given(st.lists(letters, max_size=4), st.dictionaries(letters.map("x_{}".format), values, max_size=4))
def test_front_matter_round_trip(tags: list[str], metadata: dict[str, Any]) -> None:
    front, _ = read_back(model_card(title="t", tags=tags, summary="s", sections=[], metadata=metadata))
    assert front == {"library_name": "transformers", "tags": tags, **metadata}


def test_a_dividing_line_in_a_value_does_not_end_the_front_matter() -> None:
    front, _ = read_back(model_card(title="t", tags=[], summary="s", sections=[], metadata={"note": "a\n---\nb"}))
    assert front["note"] == "a\n---\nb"


def test_headings_stay_on_their_line() -> None:
    card = model_card(title="a\n# b", tags=[], summary="s", sections=[("c\nd", "e")], metadata={})
    assert "\n# a # b\n" in card and "\n## c d\n" in card


def test_table() -> None:
    table = markdown_table(["source", "loss"], [["a|b", 5.42], ["line\nbreak", None]])
    assert table == "| source | loss |\n| --- | ---: |\n| a\\|b | 5.42 |\n| line break |  |\n"


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=4))
def test_any_text_keeps_the_columns(rows: list[list[str]]) -> None:
    lines = markdown_table(["one", "two"], rows).rstrip("\n").split("\n")
    assert len(lines) == 2 + len(rows)
    for line in lines:
        unescaped = re.sub(r"\\[\\|]", "", line)
        assert unescaped.count("|") == 3, line


@example("__0__")
@example("snake_case_name")
@given(st.text(min_size=1))
def test_any_text_is_itself_in_a_code_span_and_in_plain(text: str) -> None:
    line = printable(" ".join(text.split()))
    if not line:
        assert code(text) == ""
        return
    markdown = MarkdownIt("commonmark")
    assert markdown.render(f"a {code(text)} b") == f"<p>a <code>{escape(line)}</code> b</p>\n"
    assert markdown.render(f"a {escape_markdown(text)} b") == f"<p>a {escape(line)} b</p>\n"


@given(st.text(alphabet="`a\n~"))
def test_any_lines_are_themselves_in_a_block(text: str) -> None:
    html = MarkdownIt("commonmark").render(code_block(text, "sh"))
    assert html == f'<pre><code class="language-sh">{text}\n</code></pre>\n'

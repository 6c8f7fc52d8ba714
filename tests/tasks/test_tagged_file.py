"""Sentences with tags: columns and JSON lines give the same, and each mistake is told at its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.tagged_file import read_tagged


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[tuple[list[str], list[str]]]]:
    """Tokens and tags of the sentences of a file of this content."""

    def call(content: str, ending: str = ".txt", **columns: object) -> list[tuple[list[str], list[str]]]:
        file = tmp_path / f"file{ending}"
        file.write_text(content, encoding="utf-8")
        return [(found.tokens, found.tags) for found in read_tagged(file, Columns(**columns))]  # type: ignore[arg-type]

    return call


Read = Callable[..., list[tuple[list[str], list[str]]]]


def test_columns_and_json_lines_give_the_same(read: Read) -> None:
    expected = [(["New York", "is"], ["B-LOC", "O"]), (["\u200b"], ["O"])]
    columns = "New York\tB-LOC\nis\tO\n\n\u200b\tO\n"
    lines = "".join(json.dumps({"tokens": tokens, "tags": tags}) + "\n" for tokens, tags in expected)
    assert read(columns) == read(columns, ".csv") == read(columns, ".jsonl", form="conll") == expected
    assert read(lines, ".jsonl") == read(lines, ".txt", form="jsonl") == expected
    renamed = lines.replace("tokens", "w").replace("tags", "t")
    assert read(renamed, ".jsonl", text="w", label="t") == expected


def test_columns_by_number(read: Read) -> None:
    content = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\n"
    assert read(content) == [(["EU"], ["B-ORG"])]
    assert read(content, label="1") == [(["EU"], ["NNP"])]
    assert read(content, text="1", label="2") == [(["NNP"], ["B-NP"])]


@pytest.mark.parametrize("tags", [("NOUN", "X"), ("B", "NN"), (".", ","), ("EX", "I"), ("-LRB-", "IN")])
def test_plain_labels(read: Read, tags: tuple[str, str]) -> None:
    assert read(f"a {tags[0]}\nb {tags[1]}\n") == [(["a", "b"], list(tags))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n", "no token in this file"),
        ("a O\nb\n", "line 2: found 'b', expected a token and, as last column, its tag"),
        ("a x O\nb O\n", "line 2: 2 columns, expected 3 as in line 1"),
        ("a\tO\n\nb\tx\tO\n", "line 3: 3 columns, expected 2 as in line 1"),
        ("a B-X\nb X\n", "line 2: found the tag 'X', expected O, or B-"),
        ("a O\nb NN\n", "line 2: found the tag 'NN', expected O, or B-"),
    ],
)
def test_columns_that_are_wrong(read: Read, tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        read(content)
    assert str(error.value).startswith(f"{tmp_path / 'file.txt'}: {message}")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"tokens": [], "tags": []}, "line 2: the sentence has no tokens, expected at least one"),
        ({"tokens": ["a", "b"], "tags": ["O"]}, "line 2: 2 tokens and 1 tags, expected one for each"),
        (
            {"tokens": ["a"], "tags": [0.5]},
            "line 2: 'tags': found a number in the list, expected texts or whole numbers",
        ),
        ({"tokens": "a", "tags": ["O"]}, "line 2: 'tokens': found a text, expected a list of texts"),
        ({"tokens": ["a"], "tags": [" "]}, "line 2: a tag is empty"),
        ({"tokens": ["a\tb"], "tags": ["O"]}, "line 2: the token 'a\\tb' holds a tab or a line break"),
        ({"text": "a"}, "line 2: no 'tokens' or 'words'; the names there are 'text'; give --text-column"),
        ({"tokens": ["a"]}, "line 2: no 'tags' or 'ner_tags'"),
        ({"tokens": ["a"], "tags": ["X"]}, "line 2: found the tag 'X'"),
    ],
)
def test_json_lines_that_are_wrong(read: Read, record: dict[str, object], message: str) -> None:
    good = json.dumps({"tokens": ["a"], "tags": ["B-X"]})
    with pytest.raises(DataError) as error:
        read(f"{good}\n{json.dumps(record)}\n", ".jsonl")
    assert f": {message}" in str(error.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"form": "csv"}, "--format csv: sentences with tags are in conll"),
        ({"pair": "1"}, "--pair-column: a tagged sentence has no second text"),
        ({"no_header": True}, "--no-header: sentences with tags have no header"),
        ({"label": "tag"}, "--label-column: found 'tag', expected a number"),
        ({"text": "-1"}, "--text-column: found '-1', expected a number"),
    ],
)
def test_options_that_such_files_do_not_have(read: Read, columns: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as error:
        read("a O\n", **columns)
    assert str(error.value).startswith(message)


def test_a_column_that_is_not_there(read: Read) -> None:
    with pytest.raises(DataError, match=r"line 1: 2 columns, so there is no column 2 \(from 0\)"):
        read("a O\n", label="2")


def test_the_mark_of_a_document_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["-DOCSTART-", "Oslo"], "tags": ["O", "B-LOC"]}\n')
    with pytest.raises(DataError, match="line 1: the token '-DOCSTART-' is the mark of a document"):
        read_tagged(path, Columns())

"""Pairs or single texts: detection of the second text's column, and agreement of all files of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import DataError, ModelError
from bertsmith.tasks.files.labelled_file import Columns, Row, read_rows
from bertsmith.tasks.files.reference import FileReference, configured_text_columns

SINGLES = FileReference("the training file train.csv", text="text")
PAIRS = FileReference("the training file train.csv", text="sentence1", pair="sentence2")
LONG = ["the film is good", "the play is bad", "a book was read", "two boats were sold", "we saw a horse", "they left"]


def rows_of(folder: Path, texts: list[Any], name: str, *, first: str = "text", **columns: Any) -> list[Row]:
    records = [{first: f"text {number}", name: cell, "label": "x"} for number, cell in enumerate(texts)]
    (folder / "f.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return read_rows(folder / "f.jsonl", Columns(**columns))


def pairs_of(rows: list[Row]) -> list[str | None]:
    return [row.pair for row in rows]


@pytest.mark.parametrize("name", ["text_pair", "sentence2", "hypothesis", "question2", "pair"])
def test_second_texts_by_their_usual_names_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level("INFO")
    assert pairs_of(rows_of(tmp_path, LONG, name)) == LONG
    assert f"f.jsonl: read as pairs, with the second text in column '{name}'" in caplog.text
    caplog.clear()
    assert pairs_of(rows_of(tmp_path, LONG, name, first="body", text="body", pair=name)) == LONG


@pytest.mark.parametrize(
    ("name", "text", "cells", "reason"),
    [
        ("pair", "text", ["0", "1", "2", "3", "4", "5"], "it has only numbers"),
        ("sentence2", "text", ["0.5", "1", "2", "3", "4", "5"], "it has only numbers"),
        ("pair", "text", ["a", "b", "c", "d", "e", "f"], "most of its cells are single words"),
        ("pair", "text", ["set one"] * 6, "it has only 1 different value"),
        ("pair", "sentence", LONG, "the texts are in column 'sentence'"),
        ("hypothesis", "text", [" "] * 6, "it is empty in every row"),
    ],
)
def test_a_column_that_holds_no_texts_is_no_second_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, text: str, cells: list[Any], reason: str
) -> None:
    caplog.set_level("INFO")
    assert pairs_of(rows_of(tmp_path, cells, name, first=text)) == [None] * 6
    assert (
        f"column '{name}' is not read, because {reason}; to use it as the second text, give --pair-column {name}"
        in caplog.text
    )
    assert pairs_of(rows_of(tmp_path, cells, name, first=text, pair=name)) == [str(cell) for cell in cells]
    assert pairs_of(rows_of(tmp_path, cells, name, first=text, reference=SINGLES)) == [None] * 6


def test_numbers_are_no_texts_even_if_an_option_names_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert pairs_of(rows_of(tmp_path, list(range(6)), "pair")) == [None] * 6
    assert caplog.messages[-1].endswith("column 'pair' is not read, because it has only numbers")
    with pytest.raises(DataError, match=r"column 'pair': found a number, expected text"):
        rows_of(tmp_path, list(range(6)), "pair", pair="pair")


def test_texts_without_spaces_are_texts(tmp_path: Path) -> None:
    texts = ["この映画はとても良い", "今日は天気が悪いです", "本を二冊買いました"]
    assert pairs_of(rows_of(tmp_path, texts, "pair")) == texts


def test_all_files_have_pairs_or_none_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DataError, match=r"f\.jsonl: found two texts per row, expected one as in the training file"):
        rows_of(tmp_path, LONG, "sentence2", reference=SINGLES)
    with pytest.raises(DataError, match=r"found one text per row, expected two .*'sentence1' and 'sentence2'"):
        rows_of(tmp_path, LONG, "other", reference=PAIRS)
    with pytest.raises(DataError, match=r"one text per row \(column 'sentence2' is empty in every row\)"):
        rows_of(tmp_path, [""] * 6, "sentence2", reference=PAIRS)
    assert pairs_of(rows_of(tmp_path, LONG, "sentence2", text="text", reference=SINGLES)) == [None] * 6


def test_a_model_says_how_its_files_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Config:
        text_columns: Any = ("text",)

    single = configured_text_columns(Config, "runs/x")
    assert single == FileReference("the training file of runs/x", is_from_model=True, text="text")
    assert pairs_of(rows_of(tmp_path, LONG, "hypothesis", reference=single)) == [None] * 6
    assert "column 'hypothesis' is not read, because the training file of runs/x has single texts" in caplog.text
    caplog.clear()
    assert pairs_of(rows_of(tmp_path, LONG, "hypothesis", reference=single, pair="hypothesis")) == LONG
    assert "read as pairs because of --pair-column, but the training file of runs/x has single texts" in caplog.text
    Config.text_columns = ["premise", "hypothesis"]
    pairs = configured_text_columns(Config, "runs/x")
    assert pairs_of(rows_of(tmp_path, LONG, "text_pair", reference=pairs)) == LONG
    with pytest.raises(DataError, match=r"found one text per row, expected two as in the training file of runs/x"):
        rows_of(tmp_path, LONG, "other", reference=pairs)
    for wrong in ([], "text", ["a", "b", "c"], [1], 5):
        Config.text_columns = wrong
        with pytest.raises(ModelError, match=r"runs/x: text_columns in its config.json is "):
            configured_text_columns(Config, "runs/x")
    assert configured_text_columns(object(), "runs/x") is None


def test_a_second_text_that_the_first_record_lacks(tmp_path: Path) -> None:
    records = [{"text": "a film", "label": "x"}, {"text": "a play", "sentence2": "a book", "label": "y"}]
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(DataError, match=r"f\.jsonl: line 1: column 'sentence2' is missing"):
        read_rows(tmp_path / "f.jsonl", Columns())
    assert pairs_of(read_rows(tmp_path / "f.jsonl", Columns(text="text"))) == [None, None]


def test_empty_second_texts_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert pairs_of(rows_of(tmp_path, [*LONG, "", " "], "sentence2")) == [*LONG, "", " "]
    assert "the second text (column 'sentence2') is empty in 2 of 8 rows, first in line 7" in caplog.text
    caplog.clear()
    rows_of(tmp_path, LONG, "sentence2")
    assert not caplog.text

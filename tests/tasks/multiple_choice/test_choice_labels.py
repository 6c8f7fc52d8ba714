"""Formats of choice labels: positions from 0 or 1, letters, keys, texts; one format for all files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertsmith.errors import DataError, ModelError
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.multiple_choice.choice_file import read_choice_questions
from bertsmith.tasks.multiple_choice.choice_labels import FROM_0, FROM_1, KEYS, LETTERS, TEXTS
from bertsmith.tasks.multiple_choice.task import LABELS_FROM_KEY, MultipleChoice

WORDS = ["boat", "horse", "bell", "map"]


def lists(folder: Path, labels: Sequence[Any], choices: Any = WORDS, **columns: Any) -> tuple[list[int], str]:
    """Indices and label format of a file with a list of choices."""
    rows = [{"question": f"q{number}", "choices": choices, "answerKey": label} for number, label in enumerate(labels)]
    (folder / "f.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_choice_questions(folder / "f.jsonl", Columns(**columns))
    return [question.label for question in found], found[0].label_format


def numbered(folder: Path, labels: Sequence[Any], start: int = 1, **columns: Any) -> list[int]:
    """Label indices of a table with numbered choice columns."""
    header = ["prompt", *(f"choice{start + number}" for number in range(4)), "label"]
    lines = [",".join(header), *(",".join([f"p{at}", *WORDS, str(label)]) for at, label in enumerate(labels))]
    (folder / "f.csv").write_text("\n".join(lines) + "\n")
    return [question.label for question in read_choice_questions(folder / "f.csv", Columns(**columns))]


@pytest.mark.parametrize(
    ("labels", "indices", "label_format"),
    [
        ([0, 3, 1], [0, 3, 1], FROM_0),
        ([4, 1, 2], [3, 0, 1], FROM_1),
        (["1", "4 "], [0, 3], FROM_1),
        (["A", "D"], [0, 3], LETTERS),
        (["b", "a", "C"], [1, 0, 2], LETTERS),
        (["map", " boat "], [3, 0], TEXTS),
    ],
)
def test_forms_of_labels(tmp_path: Path, labels: list[Any], indices: list[int], label_format: str) -> None:
    assert lists(tmp_path, labels) == (indices, label_format)


@pytest.mark.parametrize("keys", [["A", "B", "C", "D"], ["1", "2", "3", "4"], ["w", "x", "y", "z"], [4, 3, 2, 1]])
def test_keys_of_choices(tmp_path: Path, keys: list[Any]) -> None:
    """As in ARC, OpenBookQA and CommonsenseQA, a label is the key of a choice; any keys work."""
    for choices in (
        {"label": keys, "text": WORDS},
        [{"label": key, "text": word} for key, word in zip(keys, WORDS, strict=True)],
    ):
        assert lists(tmp_path, [keys[2], keys[0]], choices) == ([2, 0], KEYS)
    with pytest.raises(DataError, match=r"line 2: the label \(column 'answerKey'\): found 'Q', expected the key of a"):
        lists(tmp_path, [keys[1], "Q"], {"label": keys, "text": WORDS})


def test_rows_with_different_keys(tmp_path: Path) -> None:
    """ARC has letters in most rows, and numbers from 1 in some."""
    rows = [
        {"question": "q", "choices": {"label": ["A", "B", "C"], "text": WORDS[:3]}, "answerKey": "C"},
        {"question": "r", "choices": {"label": ["1", "2", "3", "4"], "text": WORDS}, "answerKey": "3"},
    ]
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [question.label for question in read_choice_questions(tmp_path / "f.jsonl", Columns())] == [2, 2]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"label": ["A"], "text": WORDS}, "found 1 key in 'label' for 4 choices"),
        (
            {"label": ["A", "A", "B", "C"], "text": WORDS},
            "found the keys 'A', 'A', 'B', 'C', expected different, non-empty keys",
        ),
        ({"label": "A", "text": WORDS}, "found text in 'label'"),
        ({"text": WORDS}, "'choices': found an object, expected a list of choices"),
    ],
)
def test_keys_that_are_wrong(tmp_path: Path, choices: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        lists(tmp_path, ["A"], choices)


def test_columns_from_1_without_a_certain_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"f\.csv: no label is 0 .*numbered from 1\. Try: --labels-from 1"):
        numbered(tmp_path, [1, 2, 3, 1])
    assert numbered(tmp_path, [1, 2, 3, 1], labels_from=1) == [0, 1, 2, 0]
    assert numbered(tmp_path, [1, 2, 3, 1], labels_from=0) == [1, 2, 3, 1]
    assert numbered(tmp_path, [1, 2, 3, 0]) == [1, 2, 3, 0]
    assert numbered(tmp_path, [1, 2, 4]) == [0, 1, 3]
    with pytest.raises(DataError, match=r"line 3: .*found '0', expected the index of one of 4 choices, from 1 to 4"):
        numbered(tmp_path, [1, 0], labels_from=1)


def test_columns_from_0_have_labels_from_0(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DataError, match=r"found '4', expected .* from 0 to 3. Try: --labels-from 1 if the lab"):
        numbered(tmp_path, [1, 4], start=0)
    assert numbered(tmp_path, [1, 4], start=0, labels_from=1) == [0, 3]


def test_lists_without_a_certain_label_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert lists(tmp_path, [1, 2, 3]) == ([1, 2, 3], FROM_0)
    assert "read as positions from 0. If they count from 1, give --labels-from 1" in caplog.text


def test_labels_from_1_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    lists(tmp_path, [1, 4])
    assert "labels are read as positions from 1: no label is 0, and 4 is the last of 4 choices (line 2" in caplog.text


def test_a_label_with_two_meanings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: .*found 2, the text of a choice and the position of a different"):
        lists(tmp_path, [2, 0], ["2", "0", "1"])
    assert lists(tmp_path, [2, 0], ["2", "0", "1"], labels_from=0) == ([2, 0], FROM_0)
    assert lists(tmp_path, [2, 0], ["0", "1", "2"]) == ([2, 0], FROM_0), "both mean the same"
    assert lists(tmp_path, ["12", "14"], ["12", "13", "14"]) == ([0, 2], TEXTS)
    with pytest.raises(DataError, match=r"line 1: .*found 'A', the text of a choice and the letter of a different"):
        lists(tmp_path, ["A", "C"], ["C", "A", "B"])


@pytest.mark.parametrize("labels", [[0, 4], ["A", 1], ["boat", "ship"], ["A", "E"], [0, ""], [0, True], [0, [1]]])
def test_labels_of_no_one_form(tmp_path: Path, labels: list[Any]) -> None:
    with pytest.raises(DataError, match=r"f\.jsonl: line [12]: the label \(column 'answerKey'\): found .*, expected "):
        lists(tmp_path, labels)


def test_a_text_that_two_choices_have_is_no_label(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: .*found 'boat', expected the text of exactly one of the choices"):
        lists(tmp_path, ["bell", "boat", "map"], ["boat", "boat", "bell", "map"])


def test_all_files_have_the_form_of_the_training_file(tmp_path: Path) -> None:
    """A dev file in which the last choice is never correct is not shifted."""
    lists(tmp_path, [4, 1, 2])
    train = read_choice_questions(tmp_path / "f.jsonl", Columns())
    reference = MultipleChoice.reference(train, Path("train.jsonl"))
    assert lists(tmp_path, [1, 2, 3], reference=reference) == ([0, 1, 2], FROM_1)
    with pytest.raises(DataError, match=r"found 0, expected the index .* from 1 to 4, as in the training file train"):
        lists(tmp_path, [0, 3], reference=reference)
    letters = FileReference("the training file t", choice_labels=LETTERS)
    with pytest.raises(DataError, match=r"found 1, expected the letter of one of 4 choices, from A to D, as in"):
        lists(tmp_path, [1, 4], reference=letters)
    head = MultipleChoice.for_training(train, SimpleNamespace(problem_type="single_label_classification"))
    assert head.fitted_values == {LABELS_FROM_KEY: 1}


def test_a_model_says_from_where_labels_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Config:
        choice_labels_from: Any = 1

    reference = MultipleChoice.reference_of_model(Config, "runs/x")
    caplog.set_level("INFO")
    assert lists(tmp_path, [1, 2, 3], reference=reference) == ([0, 1, 2], FROM_1)
    assert "labels are read as positions from 1, as in the training file of runs/x" in caplog.text
    assert lists(tmp_path, [0, 3], reference=reference) == ([0, 3], FROM_0), "what is certain comes first"
    assert numbered(tmp_path, [1, 2], reference=reference) == [0, 1]
    Config.choice_labels_from = 2
    with pytest.raises(ModelError, match=r"runs/x: choice_labels_from in its config.json is 2, expected 0 or 1"):
        MultipleChoice.reference_of_model(Config, "runs/x")
    assert MultipleChoice.reference_of_model(object(), "runs/x") is None

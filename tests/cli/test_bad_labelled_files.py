"""Labelled files that a head cannot be trained or measured on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TASK = "sequence-classification"


@pytest.fixture
def finetune(refused: Callable[..., str], run: Path, tmp_path: Path) -> Callable[..., str]:
    """The message for a fine-tuning that has to be refused."""

    def call(train: Path, dev: Path | None = None, *more: object) -> str:
        data = ("--train", train, "--dev", dev or train, "--out", tmp_path / "out")
        return refused("finetune", TASK, "--model", run, *data, "--max-length", 32, *more)

    return call


def test_a_labelled_file_without_the_column(
    finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    train = labelled(tmp_path / "train.csv", header="words,verdict")
    holds(finetune(train), train, "no column of the text with a usual name", "'words', 'verdict'", "--text-column")
    message = finetune(train, None, "--text-column", "words")
    holds(message, train, "no column of the label", "'words', 'verdict'", "--label-column")
    message = finetune(train, None, "--text-column", "word", "--label-column", "verdict")
    holds(message, train, "no column 'word'", "'words', 'verdict'")
    message = finetune(train, None, "--text-column", "words", "--label-column", "verdict", "--pair-column", "second")
    holds(message, train, "no column 'second'")


def test_a_label_that_training_does_not_know(
    finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    train = labelled(tmp_path / "train.csv")
    dev = labelled(tmp_path / "dev.csv", labels=("good", "mediocre"))
    holds(finetune(train, dev), dev, "line 3: found the label 'mediocre', expected a label of the model (bad, good)")


def test_one_class_only(
    finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    train = labelled(tmp_path / "train.csv", labels=("good", "good"))
    holds(finetune(train), "only one class, 'good'; expected at least two")


def test_a_figure_that_a_task_does_not_have(
    finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    train = labelled(tmp_path / "train.csv")
    message = finetune(train, None, "--metric", "mathews")
    holds(message, "--metric: found 'mathews', expected one of accuracy, f1, macro_f1, matthews", "did you mean 'matth")
    message = finetune(train, None, "--metric", "pearson")
    holds(message, "--metric: found 'pearson', expected one of accuracy, f1, macro_f1, matthews")


def test_several_labels_for_one_class(finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text('{"text": "one", "label": ["a"]}\n{"text": "two", "label": []}\n')
    message = finetune(train)
    holds(
        message,
        train,
        "line 1: found a list of labels, expected one label. Try: --problem-type multi_label_classification",
    )
    message = finetune(train, None, "--problem-type", "multi_label_classification")
    holds(message, "the training file has only one label, 'a'; expected at least two")


def test_a_label_that_is_no_number(
    finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    train = labelled(tmp_path / "train.csv")
    message = finetune(train, None, "--problem-type", "regression")
    holds(message, train, "line 2: found the label 'good', expected a finite number for regression")
    scores = tmp_path / "scores.csv"
    scores.write_text("text,score\nfine,1.5\nbad,nan\n")
    message = finetune(scores, None, "--problem-type", "regression")
    holds(message, scores, "line 3: found the label 'nan', expected a finite number for regression")
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"text": "fine", "score": 1.5}\n{"text": "bad", "score": NaN}\n')
    message = finetune(scores, None, "--problem-type", "regression")
    holds(message, scores, "line 2: column 'score' is missing, found NaN")


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("a.csv", b"", ("the file is empty",)),
        ("a.csv", b"text,label\n", ("no rows in this file",)),
        ("a.csv", b"text,label\nfine,a\ntoo,many,fields\n", ("line 3: found 3 fields, expected 2 (text, label)",)),
        ("a.csv", b'text,label\n"open,a\n', ("line 2",)),
        ("a.csv", b"text,label\n ,a\n", ("line 2: the text is empty",)),
        ("a.csv", b"text,label\nfine,\n", ("line 2: the label is empty",)),
        ("a.csv", b"text,label\ncaf\xe9,a\n", ("line 2, byte 14 (0xe9) is not utf-8", "--encoding", "windows-1252")),
        ("a.tsv.gz", b"text\tlabel\n", ("cannot be read to its end", "Is the file truncated or damaged?")),
        ("a.parquet", b"", ("the file is empty",)),
        ("a.parquet", b"text,label\nfine,a\n", ("cannot be read to its end", "Is the file truncated or damaged?")),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text"\n', ("line 2: not JSON",)),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": "b"}\n', ("line 2: column 'label' is missing",)),
        ("a.jsonl", b"[1]\n", ("line 1: found a list, expected an object",)),
        (
            "a.doc",
            b"text,label\nfine,a\n",
            ("found an unknown file extension, expected .csv, .tsv, .jsonl or .parquet", "--format"),
        ),
    ],
)
def test_a_labelled_file_that_is_wrong(
    finetune: Callable[..., str],
    tmp_path: Path,
    name: str,
    content: bytes,
    parts: tuple[str, ...],
    holds: Callable[..., None],
) -> None:
    train = tmp_path / name
    train.write_bytes(content)
    holds(finetune(train), train, *parts)


def test_a_data_set_that_is_not_there(
    finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    train = labelled(tmp_path / "train.csv")
    holds(finetune(Path("hf:no/such")), "hf:no/such:train: ", "Try: check the name and the connection", "hf:./FOLDER")
    holds(finetune(train, Path("hf:no/such")), "hf:no/such:validation: ")
    holds(
        finetune(Path("hf:./nothing")), "hf:./nothing: neither an existing folder nor the name of a dataset on the hub"
    )


def test_columns_of_another_width(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    train = tmp_path / "train.conll"
    train.write_text("Cystic\tB-X\nfibrosis\n")
    data = ("--train", train, "--dev", train, "--out", tmp_path / "out", "--max-length", 32)
    message = refused("finetune", "token-classification", "--model", run, *data)
    holds(message, train, "line 2: found 'fibrosis', expected a token and, in the last column, its tag")
    train.write_text("Cystic NN B-X\nfibrosis I-X\n")
    message = refused("finetune", "token-classification", "--model", run, *data)
    holds(message, train, "line 2: found 2 columns, expected 3 as in line 1")


def test_a_head_of_other_labels(
    bertsmith: Callable[..., Any],
    refused: Callable[..., str],
    run: Path,
    tmp_path: Path,
    holds: Callable[..., None],
    labelled: Callable[..., Path],
) -> None:
    """It is replaced by a fresh one in fine-tuning, which is said, and refused in evaluation."""
    train, other = labelled(tmp_path / "train.csv"), labelled(tmp_path / "other.csv", labels=("fast", "slow"))
    quick = ("--epochs", 1, "--max-length", 32, "--precision", "fp32")
    first = bertsmith(
        "finetune", TASK, "--model", run, "--train", train, "--dev", train, "--out", tmp_path / "a", *quick
    )
    assert first.code == 0, first.stderr
    assert "is replaced" not in first.stderr
    holds(
        refused("evaluate", tmp_path / "a", other),
        other,
        "line 2: found the label 'fast', expected a label of the model (bad, good)",
    )
    data = ("--train", other, "--dev", other, "--out", tmp_path / "b", "--dry-run")
    second = bertsmith("finetune", TASK, "--model", tmp_path / "a", *data, *quick, "--verbose")
    assert f"the model {tmp_path / 'a'} (its head has different labels and is replaced)" in second.stderr
    assert "head: fresh (the head of the MODEL has different labels: bad, good)" in second.stderr


def test_a_text_beyond_the_window_is_cut_and_counted(bertsmith: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text(f"text,label\n{'the ' * 100},a\nthe end,b\n")
    data = ("--train", train, "--dev", train, "--out", tmp_path / "out", "--max-length", 32, "--dry-run")
    answer = bertsmith("finetune", TASK, "--model", run, *data)
    assert answer.code == 0
    assert f"{train}, 2 examples; 50.0% are cut at 32 tokens (longest: 102)" in answer.stderr


def test_a_labelled_file_that_is_not_there(
    finetune: Callable[..., str], tmp_path: Path, holds: Callable[..., None]
) -> None:
    holds(finetune(tmp_path / "none.csv"), tmp_path / "none.csv", "no such file")
    holds(finetune(tmp_path), tmp_path, "found a folder, expected a labelled file")

"""All files of a fine-tuning agree: its labels, pairs or single texts, and how right choices are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertsmith.errors import DataError, ModelError
from bertsmith.evaluation.options import CompareOptions
from bertsmith.finetuning.data import FinetuningData, read_files
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.starting_model import StartingModel
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.verbs.compare import _same_reference

Read = Callable[..., FinetuningData]
TEXT, CHOICE = "sequence-classification", "multiple-choice"
HEADS = [SequenceClassification(["a", "b"], "single_label_classification")] * 2


@pytest.fixture
def read(run: Path, tmp_path: Path) -> Read:
    """Reads the parts of a training, given as rows."""
    tokenizer = load_tokenizer(str(run))

    def call(task: str, parts: dict[str, list[dict[str, Any]]], **options: Any) -> FinetuningData:
        given: dict[str, Any] = {}
        for part, rows in parts.items():
            given[part] = tmp_path / f"{part}.jsonl"
            given[part].write_text("".join(json.dumps(row) + "\n" for row in rows))
        defaults = {"task": task, "model": str(run), "out": tmp_path / "out"}
        return read_files(FinetuneOptions.build({**defaults, **given, **options}), StartingModel(None, tokenizer, 32))

    return call


def texts(labels: list[Any], **more: list[str]) -> list[dict[str, Any]]:
    return [
        {"text": f"the river {at}", "label": label} | {name: cells[at] for name, cells in more.items()}
        for at, label in enumerate(labels)
    ]


def test_decimals_need_a_problem_type(read: Read) -> None:
    parts = {part: texts([0.5, 1.0, 2.5, 0.5]) for part in ("train", "dev")}
    with pytest.raises(DataError, match=r"train\.jsonl: line 1: found the label '0\.5', .*--problem-type regression"):
        read(TEXT, parts)
    assert read(TEXT, parts, problem_type="regression").head.labels == []
    insisted = read(TEXT, parts, problem_type="single_label_classification")
    assert len(insisted.head.labels) == 3


def test_warnings_about_labels_stand_in_the_report(read: Read) -> None:
    rows = texts(["Sport", "sport", "news", "sport"])
    (spelling, *_) = read(TEXT, {"train": rows, "dev": rows}).report.warnings
    assert spelling.startswith("train: the labels 'Sport' (1) and 'sport' (2) differ only in case")
    with pytest.raises(
        DataError, match=r"dev\.jsonl: line 1: found the label 'NEWS', .*; the model has 'news', which differs"
    ):
        read(TEXT, {"train": rows, "dev": texts(["NEWS"])})
    many = texts([str(number) for number in range(60)])
    warnings = read(TEXT, {"train": many, "dev": many}).report.warnings
    assert warnings[0].startswith("train: 60 different numbers are used as classes")
    insisted = read(TEXT, {"train": many, "dev": many}, problem_type="single_label_classification")
    assert not any("are used as classes" in warning for warning in insisted.report.warnings)


@pytest.mark.parametrize("part", ["dev", "test"])
def test_every_part_has_pairs_or_none_has(read: Read, part: str) -> None:
    single, pairs = texts(["a", "b"]), texts(["a", "b"], sentence2=["it is cold", "it is warm"])
    for rows, others, found in ((pairs, single, "one text per row"), (single, pairs, "two texts per row")):
        with pytest.raises(DataError, match=rf"{part}\.jsonl: found {found}, expected .* as in the training file"):
            read(TEXT, {"train": rows, "dev": rows, part: others})
    assert read(TEXT, {"train": pairs, "dev": pairs}).head.fitted_values == {"text_columns": ["text", "sentence2"]}
    assert read(TEXT, {"train": single, "dev": single}).head.fitted_values == {"text_columns": ["text"]}


def test_a_dev_file_is_read_as_the_training_file(read: Read) -> None:
    def questions(labels: list[Any]) -> list[dict[str, Any]]:
        return [
            {"prompt": f"river {at}", "choices": ["boat", "bell", "map"], "label": label}
            for at, label in enumerate(labels)
        ]

    data = read(CHOICE, {"train": questions([3, 1, 2]), "dev": questions([1, 2, 2])})
    assert data.dev.targets.tolist() == [0, 1, 1]
    assert data.head.fitted_values == {"choice_labels_from": 1}
    data = read(CHOICE, {"train": questions(["C", "A"]), "dev": questions(["B"])})
    assert (data.dev.targets.tolist(), data.head.fitted_values) == ([1], {})


def test_models_of_pairs_and_of_single_texts_have_no_file_in_common() -> None:
    pairs, single, old = (
        SimpleNamespace(text_columns=["a", "b"]),
        SimpleNamespace(text_columns=["a"]),
        SimpleNamespace(),
    )
    options = CompareOptions.build({"model_a": "A", "model_b": "B", "data": "f.csv"})
    with pytest.raises(ModelError, match=r"A was trained on pairs, B on single texts; .* Try: --pair-column"):
        _same_reference(options, [pairs, single], HEADS)
    named = CompareOptions.build({"model_a": "A", "model_b": "B", "data": "f.csv", "pair_column": "b"})
    assert _same_reference(named, [pairs, single], HEADS) is not None
    found = _same_reference(options, [old, single], HEADS)
    assert found is not None and (found.source, found.pair) == ("the training file of B", None)
    assert _same_reference(options, [old, old], HEADS) is None

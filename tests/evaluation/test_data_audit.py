"""The report on labelled data: findings in small constructed files and in real files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from bertsmith.evaluation.data_audit import LabelledSplit, labelled_data_report, summary
from bertsmith.records.labelled_files import DataReport
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.labelled_file import Columns, Row
from bertsmith.tasks.question_answering.squad_file import ContextQuestion
from bertsmith.tasks.token_classification.conll_file import Sentence
from bertsmith.tokenization.folder import load_tokenizer

CLASSES = "single_label_classification"


@pytest.fixture(scope="module")
def tokenizer(run: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(run))


def report_on(
    tokenizer: PreTrainedTokenizerBase,
    parts: Mapping[str, Any],
    task: str = "sequence-classification",
    problem_type: str = CLASSES,
    max_length: int = 32,
) -> dict[str, Any]:
    head = task_class(task).for_training(parts["train"], SimpleNamespace(problem_type=problem_type, labels_are=None))
    found = {
        name: LabelledSplit(examples, head.encode(tokenizer, examples, max_length)) for name, examples in parts.items()
    }
    return labelled_data_report(head, tokenizer, found, max_length=max_length).to_dict()


def rows(*texts: str, label: str = "a", start: int = 1) -> list[Row]:
    return [Row(text, None, label, "file", f"line {line}") for line, text in enumerate(texts, start=start)]


def test_repeats_contradictions_and_overlaps(tokenizer: PreTrainedTokenizerBase) -> None:
    train = [*rows("the bell", "the  bell ", "a boat"), *rows("a boat", "bread", label="b", start=4)]
    parts = {"train": train, "dev": rows("bread", "bread", "a horse"), "test": rows("the bell", "A boat", "a horse")}
    report = report_on(tokenizer, parts)
    assert report["parts"]["train"]["examples"] == 5
    assert report["parts"]["train"]["labels"] == {"a": 3, "b": 2}
    assert [part["repeated"] for part in report["parts"].values()] == [2, 1, 0]
    assert report["parts"]["train"]["contradictions"] == {
        "texts": 1,
        "examples": [
            {"text": "a boat", "labels": [{"label": "a", "place": "line 3"}, {"label": "b", "place": "line 4"}]}
        ],
    }
    assert report["overlaps"]["train/dev"] == {
        "of": 3,
        "examples_in_both": 2,
        "examples": [
            {"text": "bread", "places": ["line 5", "line 1"]},
            {"text": "bread", "places": ["line 5", "line 2"]},
        ],
    }
    assert report["overlaps"]["train/test"]["examples_in_both"] == 1
    assert report["overlaps"]["dev/test"]["examples_in_both"] == 1
    assert report["warnings"] == [
        "train: 1 text occurs with contradictory labels, such as 'a boat' with 'a' (line 3) and 'b' (line 4)",
        "dev: 2 of its 3 texts are also in train, such as 'bread' (train line 5, dev line 1). Metrics on them say "
        "nothing about new texts; remove them from one of the files",
        "test: 1 of its 3 texts are also in train, such as 'the bell' (train line 1, test line 1). Metrics on them say "
        "nothing about new texts; remove them from one of the files",
        "test: 1 of its 3 texts are also in dev, such as 'a horse' (dev line 3, test line 3). Metrics on them say "
        "nothing about new texts; remove them from one of the files",
    ]


def test_pairs_are_compared_together(tokenizer: PreTrainedTokenizerBase) -> None:
    pair, turned = Row("one", "two", "x", "file", "line 1"), Row("two", "one", "y", "file", "line 2")
    other = Row("one", "three", "x", "file", "line 1")
    report = report_on(tokenizer, {"train": [pair, turned], "dev": [other]})
    assert report["parts"]["train"]["contradictions"]["texts"] == 0
    assert report["overlaps"]["train/dev"]["examples_in_both"] == 0
    assert list(summary(DataReport.model_validate(report)))[-1] == "no overlap between train/dev"


@pytest.mark.parametrize(("rare", "warned"), [(1, True), (2, False)])
def test_a_rare_label_is_warned_of(tokenizer: PreTrainedTokenizerBase, rare: int, warned: bool) -> None:
    """One label has more than ten times as many examples as a different label."""
    train = [*rows(*(f"a {number}" for number in range(20)), label="often")]
    train += rows(*(f"b {number}" for number in range(rare)), label="rare")
    warnings = report_on(tokenizer, {"train": train})["warnings"]
    assert any("the label 'rare' is rare: 1 compared with 20 of 'often'" in line for line in warnings) == warned
    assert any("--class-weights balanced" in line for line in warnings) == warned


def test_o_is_no_label_to_compare_with(tokenizer: PreTrainedTokenizerBase) -> None:
    words = [f"word{number}" for number in range(100)]
    sentences = [Sentence(words, ["B-X", "I-X", "B-Y", *["O"] * 97], list(range(1, 101)))]
    report = report_on(tokenizer, {"train": sentences}, "token-classification")
    assert report["parts"]["train"]["labels"] == {"O": 97, "B-X": 1, "B-Y": 1, "I-X": 1, "I-Y": 0}
    assert not any("rare" in line for line in report["warnings"])


def test_regression_has_no_labels(tokenizer: PreTrainedTokenizerBase) -> None:
    train = [Row("a", None, 1.0, "file", "line 1"), Row("a", None, 2.5, "file", "line 2")]
    report = report_on(tokenizer, {"train": train}, problem_type="regression")
    assert report["parts"]["train"]["labels"] == {}
    assert [said["label"] for said in report["parts"]["train"]["contradictions"]["examples"][0]["labels"]] == [
        "1.0",
        "2.5",
    ]
    told = report["parts"]["train"]["quantity"]
    assert (told["name"], told["low"], told["mean"], told["high"]) == ("label", 1.0, 1.75, 2.5)
    assert [(bin_["low"], bin_["count"]) for bin_ in told["bins"] if bin_["count"]] == [(1.0, 1), (2.425, 1)]
    assert told["bins"][-1]["high"] == 2.5
    assert "train: label: 1 to 2.5, mean 1.75" in list(summary(DataReport.model_validate(report)))


def test_answers_have_lengths_and_whole_numbers_a_bin_each(tokenizer: PreTrainedTokenizerBase) -> None:
    texts = (("a bell", "b"), ("the red bell",), ())
    train = [ContextQuestion(str(at), answers, "what", "the red bell") for at, answers in enumerate(texts)]
    train[1] = replace(train[1], span=(0, 12))
    told = report_on(tokenizer, {"train": train}, task="question-answering")["parts"]["train"]["quantity"]
    assert told["name"] == "words of the answer, 0 if there is none"
    assert [(bin_["low"], bin_["count"]) for bin_ in told["bins"]] == [(-0.5, 1), (0.5, 0), (1.5, 1), (2.5, 1)]


@pytest.mark.parametrize("max_length", [8, 32, 33])
def test_lengths_are_counted_against_the_maximum(tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
    train = [*rows(*("the " * count for count in range(60))), *rows("a", label="b")]
    part = report_on(tokenizer, {"train": train}, max_length=max_length)["parts"]["train"]
    head = task_class("sequence-classification").for_training(train, SimpleNamespace(problem_type=CLASSES))
    lengths = head.encode(tokenizer, train, 64).full_lengths
    assert part["tokens"] == sum(lengths) and part["longest"] == max(lengths) == 61
    bins = part["lengths"]
    assert [item["high"] for item in bins[:-1]] == [item["low"] for item in bins[1:]]
    for item in bins:
        high = item["high"] if item["high"] is not None else 1_000
        assert item["count"] == sum(item["low"] <= length < high for length in lengths)
    longer = sum(length > max_length for length in lengths)
    assert sum(item["count"] for item in bins if item["low"] > max_length) == longer == part["cut_examples"]
    assert part["cut_tokens"] == sum(max(length - max_length, 0) for length in lengths)


def test_unknown_words(tokenizer: PreTrainedTokenizerBase) -> None:
    train = [*rows("the 鳥 the 鳥 and 魚."), *rows("bread", label="b")]
    report = report_on(tokenizer, {"train": train})
    assert report["parts"]["train"]["unknown_tokens"] == 3
    assert report["parts"]["train"]["unknown_words"] == {"鳥": 2, "魚": 1}
    assert any(
        "of the tokens are unknown to the tokenizer, most often '鳥', '魚'" in line for line in report["warnings"]
    )
    assert (
        report_on(tokenizer, {"train": [*rows("the"), *rows("a", label="b")]})["parts"]["train"]["unknown_words"] == {}
    )


# Real files

COLA = Columns("3", None, "1", no_header=True)
MRPC = Columns("#1 String", "#2 String", "Quality")
SINGLE, TAGS = "sequence-classification", "token-classification"
FOUND: dict[str, tuple[str, Columns, dict[str, str], dict[str, int]]] = {
    "STS-B": (SINGLE, Columns(), {"train": "glue/STS-B/train.tsv", "dev": "glue/STS-B/dev.tsv"}, {"train/dev": 6}),
    "CoLA": (SINGLE, COLA, {"train": "glue/CoLA/train.tsv", "dev": "glue/CoLA/dev.tsv"}, {"train/dev": 16}),
    "MRPC": (SINGLE, MRPC, {"train": "glue/MRPC/train.tsv", "dev": "glue/MRPC/dev.tsv"}, {"train/dev": 0}),
    "RTE": (SINGLE, Columns(), {"train": "glue/RTE/train.tsv", "dev": "glue/RTE/dev.tsv"}, {"train/dev": 0}),
    "SST-2": (SINGLE, Columns(), {"train": "glue/SST-2/train.tsv.gz", "dev": "glue/SST-2/dev.tsv"}, {"train/dev": 0}),
    "NCBI": (
        TAGS,
        Columns(),
        {
            name: f"ner/ncbi-disease/{file}.tsv"
            for name, file in (("train", "train"), ("dev", "devel"), ("test", "test"))
        },
        {"train/dev": 5, "train/test": 1, "dev/test": 1},
    ),
    "WNUT-17": (
        TAGS,
        Columns(),
        {
            "train": "ner/wnut17/wnut17train.conll",
            "dev": "ner/wnut17/emerging.dev.conll",
            "test": "ner/wnut17/emerging.test.annotated",
        },
        {"train/dev": 0, "train/test": 0, "dev/test": 0},
    ),
    "TREC": (
        SINGLE,
        Columns(no_header=True, file_format="tsv"),
        {"train": "classification/trec/train_5500.label", "test": "classification/trec/TREC_10.label"},
        {"train/test": 10},
    ),
}
REPEATED = {"CoLA": 19, "SST-2": 371, "RTE": 2, "TREC": 71}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "SST-2" else []) for name in FOUND]
)
def test_overlaps_of_real_files(
    tokenizer: PreTrainedTokenizerBase, shared_data: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts are those in the documentation of the data, made independently."""
    task, columns, files, overlaps = FOUND[name]
    examples: dict[str, Any] = {}
    for part, file in files.items():
        path = shared_data / file
        if name == "TREC":  # label and question are parted by the first blank
            path = tmp_path / f"{part}.tsv"
            lines = (shared_data / file).read_text(encoding="utf-8").splitlines()
            path.write_text("".join("\t".join(reversed(line.split(" ", 1))) + "\n" for line in lines))
        examples[part] = task_class(task).read(path, columns)
    # Texts are compared, not tokens: those are not needed here, and take long.
    head = task_class(task).for_training(
        examples["train"],
        SimpleNamespace(problem_type="regression" if name == "STS-B" else CLASSES, labels_are=None),
    )
    empty = head.encode(tokenizer, examples["train"][:1], 32)
    report = labelled_data_report(
        head, tokenizer, {part: LabelledSplit(found, empty) for part, found in examples.items()}, max_length=32
    ).to_dict()
    assert {pair: overlap["examples_in_both"] for pair, overlap in report["overlaps"].items()} == overlaps
    if name in REPEATED:
        assert report["parts"]["train"]["repeated"] == REPEATED[name]

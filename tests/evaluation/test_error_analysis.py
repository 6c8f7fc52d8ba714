"""The error report of a head: calibration, labels, confusions, slices and the worst examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertsmith.errors import OptionError
from bertsmith.evaluation.error_analysis import ANSWER, MATRIX, OTHER, TEXT, VALUES, WORST, error_report
from bertsmith.evaluation.task_head import ScoredExamples
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.encoded_texts import EncodedTexts
from bertsmith.tasks.files.labelled_file import Columns, Row
from bertsmith.tasks.multiple_choice.task import MultipleChoice
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.sequence_classification.task import NO_LABEL, SequenceClassification
from bertsmith.tasks.slice_columns import NOTHING, column_values
from bertsmith.tasks.token_classification.task import TokenClassification

CLASSES = "single_label_classification"


def rows(labels: list[Any], text: str = "text") -> list[Row]:
    return [Row(f"{text} {number}", None, label, "f", f"line {number + 2}") for number, label in enumerate(labels)]


def encoded(lengths: list[int], cut: list[int] | None = None) -> EncodedTexts:
    ids = [[1] * length for length in lengths]
    return EncodedTexts(ids, ids, cut or [0] * len(lengths))


def scored(head: AnyTask, examples: list[Any], outputs: Any, lengths: list[int] | None = None) -> ScoredExamples:
    inputs = encoded(lengths or [5] * len(examples))
    return ScoredExamples(head, examples, inputs, outputs, head.targets(examples, "f"), 128)


def report_of(*given: Any) -> dict[str, Any]:
    return error_report(*given).to_dict()


def certain(head: AnyTask, said: list[str], logit: float = 2.0) -> Any:
    """Logits that predict these labels."""
    return np.array([[logit * (label == name) for label in head.labels] for name in said], dtype=np.float32)


def test_classes() -> None:
    head = SequenceClassification(["no", "yes"], CLASSES)
    gold, said = ["no", "no", "no", "yes"], ["no", "no", "yes", "no"]
    outputs = certain(head, said)
    outputs[3] *= 3
    report = report_of(scored(head, rows(gold), outputs, [3, 4, 5, 6]))
    assert (report["examples"], report["wrong"]) == (4, 2)
    assert report["confusion"] == {"labels": ["no", "yes"], "counts": [[2, 1], [1, 0]], "of": "examples", "others": 0}
    assert report["labels"] == [
        {"label": "no", "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3},
        {"label": "yes", "precision": 0, "recall": 0, "f1": 0, "support": 1},
    ]
    worst, next_ = report["worst"]
    assert (worst["place"], worst["texts"], worst["true"], worst["predicted"]) == ("line 5", ["text 3"], "yes", "no")
    assert worst["probability"] == pytest.approx(1 / (1 + np.exp(-6)))
    assert worst["error"] == pytest.approx(np.log(1 + np.exp(6)))
    assert next_["place"] == "line 4"
    shares = [1 / (1 + np.exp(-logit)) for logit in (2, 2, 2, 6)]
    losses = [-np.log(share if right else 1 - share) for share, right in zip(shares, (1, 1, 0, 0), strict=True)]
    assert report["calibration"]["nll"] == pytest.approx(np.mean(losses))
    assert "temperature" not in report["calibration"]
    (by_length,) = report["slices"]
    assert [(row["name"], row["examples"], row["value"]) for row in by_length["rows"]] == [
        *(("3", 1, 1), ("4", 1, 1), ("5", 1, 0), ("6", 1, 0))
    ]


def test_a_temperature_stands_beside_what_was_before_it() -> None:
    head = SequenceClassification(["no", "yes"], CLASSES)
    examples, outputs = rows(["no", "yes", "yes"]), certain(head, ["no", "yes", "no"])
    before = report_of(scored(head, examples, outputs))
    calibrated = head.calibrated(outputs, head.targets(examples, "f"))
    assert calibrated is not None and calibrated.temperature > 1
    after = report_of(scored(calibrated, examples, outputs))
    assert after["calibration"]["temperature"] == calibrated.temperature
    assert after["calibration"]["before"]["nll"] == before["calibration"]["nll"] > after["calibration"]["nll"]
    assert after["worst"][0]["probability"] == pytest.approx(2 / 3, abs=1e-6), "two of three are right"
    for name in ("labels", "confusion", "slices", "wrong"):
        assert after[name] == before[name], name


def test_long_texts_and_many_errors_are_cut() -> None:
    head = SequenceClassification(["no", "yes"], CLASSES)
    examples = rows(["no"] * 50, text="word " * 100)
    report = report_of(scored(head, examples, certain(head, ["yes"] * 50)))
    assert report["wrong"] == 50 and len(report["worst"]) == WORST
    text = report["worst"][0]["texts"][0]
    assert len(text) <= TEXT and text.endswith("word…") and "  " not in text


def test_of_many_labels_the_most_frequent_are_in_the_matrix() -> None:
    labels = [f"label-{number:02}" for number in range(20)]
    head = SequenceClassification(labels, CLASSES)
    gold = [label for number, label in enumerate(labels) for _ in range(20 - number)]
    confusion = report_of(scored(head, rows(gold), certain(head, gold)))["confusion"]
    assert confusion["labels"] == [*labels[:MATRIX], OTHER]
    assert confusion["others"] == 5 and confusion["counts"][MATRIX][MATRIX] == 5 + 4 + 3 + 2 + 1
    assert sum(map(sum, confusion["counts"])) == len(gold)


def test_several_labels_have_no_confusions() -> None:
    head = SequenceClassification(["a", "b"], MULTI_LABEL)
    logits = np.array([[3, -3], [-3, -3], [3, 3]], dtype=np.float32)
    report = report_of(scored(head, rows([("a",), ("b",), ("a", "b")]), logits))
    assert "confusion" not in report and "calibration" not in report
    assert [(each["label"], each["precision"], each["recall"], each["support"]) for each in report["labels"]] == [
        *(("a", 1, 1, 2), ("b", 1, 0.5, 2))
    ]
    assert [(each["true"], each["predicted"]) for each in report["worst"]] == [("b", NO_LABEL)]


def test_numbers_have_differences() -> None:
    head = SequenceClassification([], REGRESSION)
    report = report_of(scored(head, rows([0.5, 2, 4]), np.array([[0.5], [4.5], [3]], dtype=np.float32)))
    assert report["wrong"] is None and report["error"] == "difference"
    found = [(each["true"], each["predicted"], each["error"]) for each in report["worst"]]
    assert found == [("2", "4.5", 2.5), ("4", "3", 1), ("0.5", "0.5", 0)]
    assert not {"calibration", "labels", "confusion"} & set(report)


def tagged(tmp_path: Path, name: str, sentences: list[list[tuple[str, str]]]) -> list[Any]:
    path = tmp_path / name
    path.write_text("\n\n".join("\n".join(f"{word}\t{tag}" for word, tag in sentence) for sentence in sentences))
    return task_class("token-classification").read(path, Columns())


def test_words(tmp_path: Path) -> None:
    """One sentence has a wrong type for an entity of two words; in the other a word is predicted as an entity."""
    first = [("Ann", "B-PER"), ("Lee", "I-PER"), ("sang", "O")]
    second = [("in", "O"), ("Rome", "B-LOC"), ("today", "O")]
    head = TokenClassification(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])
    said = [["B-LOC", "I-LOC", "O"], ["O", "B-LOC", "B-LOC"]]
    tagged_ = task_class("token-classification")
    outputs = tagged_.gather_outputs(head, [certain(head, tags) for tags in said], _Words())  # type: ignore[arg-type]
    report = report_of(scored(head, tagged(tmp_path, "t.conll", [first, second]), outputs, [5, 9]))
    assert [(each["place"], each["true"], each["predicted"], each["error"]) for each in report["worst"]] == [
        ("line 1", "PER: Ann Lee", "LOC: Ann Lee", 2),
        ("line 5", "LOC: Rome", "LOC: Rome; LOC: today", 1),
    ]
    by_label = {each["label"]: each for each in report["labels"]}
    assert by_label["LOC"]["precision"] == 1 / 3 and by_label["LOC"]["recall"] == 1
    assert by_label["PER"]["precision"] is None and by_label["PER"]["support"] == 1
    confusion = report["confusion"]
    assert (confusion["labels"], confusion["of"]) == (["LOC", "PER", "O"], "words")
    assert confusion["counts"] == [[1, 0, 0], [2, 0, 0], [1, 0, 2]]
    assert (report["calibration"]["of"], report["calibration"]["cases"]) == ("words", 6)
    assert [row["value"] for row in report["slices"][0]["rows"]] == [0, pytest.approx(2 / 3)]


class _Words:
    """Two sentences of three words, one row per sentence."""

    num_words = (3, 3)
    sentences = (0, 1)
    words = (np.arange(3), np.arange(3))


def test_choices(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = [
        {"prompt": "He sat", "choices": ["down", "up", "off"], "label": 0},
        {"prompt": "She ran", "choices": ["away", "a"], "label": 1},
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    head = MultipleChoice()
    outputs = [np.array([2, 0, 0], dtype=np.float32), np.array([1, 0], dtype=np.float32)]
    report = report_of(scored(head, MultipleChoice.read(path, Columns()), outputs))
    (worst,) = report["worst"]
    assert (worst["texts"], worst["true"], worst["predicted"]) == (["She ran", "away", "a"], "1: a", "0: away")
    assert worst["error"] == pytest.approx(np.log(1 + np.e))
    right = np.log(np.exp(2) + 2) - 2
    assert report["calibration"]["nll"] == pytest.approx((worst["error"] + right) / 2)
    assert "labels" not in report


def test_answers_are_cut(tmp_path: Path) -> None:
    head = SequenceClassification(["no", "x" * 500], CLASSES)
    worst = report_of(scored(head, rows(["no"]), certain(head, ["x" * 500])))["worst"][0]
    assert len(worst["predicted"]) == ANSWER


def test_slices_by_what_was_cut_and_by_a_column() -> None:
    head = SequenceClassification(["no", "yes"], CLASSES)
    examples = rows(["no"] * 60)
    outputs = certain(head, ["no"] * 30 + ["yes"] * 30)
    inputs = EncodedTexts([[1] * 8] * 60, [[0] * 8] * 60, [0] * 30 + [4] * 30)
    found = ScoredExamples(head, examples, inputs, outputs, head.targets(examples, "f"), 8)
    column = ["often"] * 38 + [f"value {number}" for number in range(22)]
    by_length, by_limit, by_column = report_of(found, {"kind": column})["slices"]
    assert [(row["name"], row["value"]) for row in by_length["rows"]] == [("8", 1), ("9 to 12", 0)]
    names = ["up to 8 tokens", "longer, cut"]
    assert [(row["name"], row["value"]) for row in by_limit["rows"]] == list(zip(names, (1, 0), strict=True))
    assert by_column["by"] == "kind" and len(by_column["rows"]) == VALUES + 1
    first, last = by_column["rows"][0], by_column["rows"][-1]
    assert (first["name"], first["examples"], first["value"]) == ("often", 38, pytest.approx(30 / 38))
    assert first["low"] < first["value"] < first["high"]
    assert (last["name"], last["examples"]) == (OTHER, 3)


# Columns


def test_columns_of_every_form(tmp_path: Path) -> None:
    head = task_class("sequence-classification")
    csv = tmp_path / "a.csv"
    csv.write_text("text,label,kind\na,no,x\nb,yes,\n")
    assert column_values(head, csv, Columns(), name="kind") == ["x", NOTHING]
    assert column_values(head, csv, Columns(no_header=True), name="2") == ["kind", "x", NOTHING]
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 2, "kind": 3}\n{"text": "c", "kind": ["x"]}\n')
    assert column_values(head, lines, Columns(), name="kind") == [NOTHING, "3", '["x"]']


def test_a_missing_column_names_those_there(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text("text,label,domain\na,no,x\n")
    with pytest.raises(
        OptionError, match=r"--slice domian: .*no column 'domian'; the columns are 'text', 'label', 'domain'; did"
    ):
        column_values(task_class("sequence-classification"), csv, Columns(), name="domian")


@pytest.mark.parametrize(
    ("task", "name", "ending"),
    [
        ("token-classification", "a.conll", ".jsonl or .parquet"),
        ("question-answering", "a.json", ".jsonl or .parquet)"),
    ],
)
def test_files_without_columns_are_refused(task: str, name: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("x")
    with pytest.raises(OptionError) as error:
        column_values(task_class(task), path, Columns(), name="kind")
    assert "is not a table, so it has no column to slice by" in str(error.value) and ending in str(error.value)

"""One name per class, however numbers and booleans are spelled."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.files.class_names import ClassNames, canonical_value, merged_class_names
from bertsmith.tasks.files.labelled_file import Columns, Row, read_rows
from bertsmith.tasks.sequence_classification.labels import encode_labels
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL
from bertsmith.tasks.sequence_classification.task import SequenceClassification


def requested(problem_type: str = "single_label_classification") -> Any:
    """The options of `finetune` about labels."""
    return SimpleNamespace(problem_type=problem_type)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("1", "1"),
        ("01", "1"),
        ("1.0", "1"),
        ("1.", "1"),
        ("+1", "1"),
        ("1e0", "1"),
        ("-0.0", "0"),
        ("100", "100"),
        (".50", "0.5"),
        ("1e+22", "1" + "0" * 22),
        ("12345678901234567890123456789012345", "12345678901234567890123456789012345"),
        ("TRUE", "true"),
        ("False", "false"),
        *((name, None) for name in ("", "1,0", "1_0", "0x1", "nan", "inf", "yes", "B01", "1 0", "²", "1e9999")),
    ],
)
def test_the_value_of_a_name(name: str, value: str | None) -> None:
    assert canonical_value(name) == value


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("1", "1.0", "01", "2"), ["1", "2"]),
        (("01", "1.0"), ["1"]),
        (("01", "02", "12"), ["01", "02", "12"]),
        (("0.0", "1.0"), ["0.0", "1.0"]),
        (("True", "true", "FALSE"), ["FALSE", "true"]),
        (("Yes", "yes", "1", "true"), ["1", "Yes", "true", "yes"]),
        (("True", "false", "1", "0"), ["0", "1"]),
        (("True", "1", "2"), ["1", "2", "True"]),
        (("9" * 5000, "9" * 5001), ["9" * 5000, "9" * 5001]),
    ],
)
def test_names_are_merged_only_where_a_class_has_several(names: tuple[str, ...], classes: list[str]) -> None:
    assert merged_class_names(names) == classes


def test_truth_values_and_the_numbers_0_and_1_are_the_same_classes() -> None:
    for no, yes in (("0", "1"), ("false", "true")):
        classes = ClassNames([no, yes])
        assert [classes[name] for name in ("0.0", "FALSE", "01", "True")] == [no, no, yes, yes]
    assert ClassNames(["0", "1", "2"])["True"] == "True"


def test_labels_of_thousands_of_digits_are_names(tmp_path: Path) -> None:
    labels = ["9" * 5000, "1" * 5001]
    assert SequenceClassification.for_training(rows(*labels), requested()).labels == labels


def test_the_classes_of_a_model_by_any_spelling() -> None:
    classes = ClassNames(["0", "1", "true", "x"])
    assert [classes[name] for name in ("0.0", "01", "True", "x", "2.0", "X")] == ["0", "1", "true", "x", "2.0", "X"]
    assert classes.merged(["0", "1", "2.0"]) is None, "2.0 is unknown, which is another message"
    said = classes.merged(["0", "0.0", "01", "1"])
    assert said is not None and "0 (spelled 0, 0.0), 1 (spelled 01, 1)" in said
    assert ClassNames(["1", "01"])["1.0"] == "1.0", "a model with both of them: neither is meant for certain"


def rows(*labels: str | float | tuple[str, ...]) -> list[Row]:
    return [Row("text", None, label, "f.csv", f"line {line}") for line, label in enumerate(labels, start=1)]


def test_the_same_rule_in_training_and_evaluation(caplog: pytest.LogCaptureFixture) -> None:
    train = rows(1, 1.0, "01", 0, "0.0")
    head = SequenceClassification.for_training(train, requested())
    assert head.labels == ["0", "1"]
    assert head.targets(train, "f.csv").tolist() == [1, 1, 1, 0, 0]
    assert head.label_counts(train) == {"0": 2, "1": 3}
    assert [item.label for item in head.comparison_items(train)] == ["1", "1", "1", "0", "0"]
    with caplog.at_level(logging.WARNING, "bertsmith"):
        head.warn_of_spellings(rows("0", "1"), "dev.csv")
        assert not caplog.text
        head.warn_of_spellings(train, "train.csv")
    (warning,) = caplog.messages
    assert (
        "train.csv: labels with the same value are read as one class: 0 (spelled 0, 0.0), 1 (spelled 01, 1, 1.0)"
        in warning
    )
    assert encode_labels(rows("TRUE", "false"), ["false", "true"], "single_label_classification", "f").tolist() == [
        1,
        0,
    ]
    with pytest.raises(DataError, match=r"f\.csv: line 2: found the label '2\.0', expected a label of the model"):
        head.targets(rows("1.0", "2.0"), "f.csv")


def test_sets_of_labels_are_merged_too() -> None:
    train = rows(("2", "x"), ("2.0",), ("2", "2.0"))
    head = SequenceClassification.for_training(train, requested(MULTI_LABEL))
    assert head.labels == ["2", "x"]
    assert head.targets(train, "f.csv").tolist() == [[1, 1], [1, 0], [1, 0]]


# Lists as text, vectors, commas


@pytest.mark.parametrize(
    ("field", "labels"),
    [
        ("['actors', 'pace']", ("actors", "pace")),
        ('["a"]', ("a",)),
        ('["caf\\u00e9", true, 2]', ("café", "true", "2")),
        ("[]", ()),
        ("['a' 'b']", ("a", "b")),
        ("['a'\n 'b|c']", ("a", "b|c")),
        ("[3 5]", ("3", "5")),
        ("[3, 5]", ("3", "5")),
        ("('a', 'b')", ("a", "b")),
        ("{'b', 'a'}", ("a", "b")),
        ('["it\'s", "a, b"]', ("it's", "a, b")),
        ("a|b", ("a", "b")),
        ("set()", ()),
        ("(1, 2]", ("(1, 2]",)),
        ("(1, 2)", ("(1, 2)",)),
        ("[1.2.3]", ("[1.2.3]",)),
        ("f(x)", ("f(x)",)),
        ("[ 1.  -2.5]", ("1.0", "-2.5")),
        (r"['a\d' 'b']", (r"a\d", "b")),
    ],
)
def test_lists_that_a_field_holds_as_text(field: str, labels: tuple[str, ...]) -> None:
    (row,) = rows(field)
    assert row.label_set == labels
    if row.listed is not None:
        with pytest.raises(
            DataError, match=r"line 1: found a list of labels, expected one label. Try: --problem-type multi_label"
        ):
            assert row.class_name


@pytest.mark.parametrize(
    "field",
    [
        "['a', 'b",
        "[actors, pace]",
        "['a' 'b', 'c']",
        "['a', None]",
        "[['a'], ['b']]",
        "{'en': 'x'}",
        "array(['a'], dtype=object)",
        "tensor([1., 0.])",
        "Index(['a', 'b'], dtype='object')",
        "frozenset({'a'})",
        "\"['a', 'b']\"",
        "[...]",
        '["a", NaN]',
        "['a', 1e999]",
        '{"a": 1}',
        "['a']x]",
    ],
)
def test_what_looks_like_a_list_and_is_none(field: str) -> None:
    (row,) = rows(field)
    if field[-1] in ']})"':
        with pytest.raises(DataError, match="looks like a list but cannot be parsed"):
            assert row.label_set
    else:
        assert row.label_set == (field,)


@pytest.mark.parametrize(
    "labels",
    [
        ("[0, 1, 0]", "[1, 0, 0]"),
        ("[0 1 0]", "[0 0 0]"),
        ("[0. 1.]", "[1. 0.]"),
        ("[True, False]", "[False, True]"),
        ("[ True False]", "[False  True]"),
        (("1", "0"), ("0", "1")),
        (("0.0", "1.0", "0.0"), ("1",)),
        ("0 1 0", "1 1 0"),
        ("0,1", "1,0"),
        ("0|1|0", "1|1|0"),
    ],
)
@pytest.mark.parametrize("problem_type", [MULTI_LABEL, "single_label_classification"])
def test_vectors_name_no_labels(labels: tuple[str | tuple[str, ...], ...], problem_type: str) -> None:
    with pytest.raises(DataError, match=r"f\.csv: line 1: found the label .*a vector of 0 and 1; expected label names"):
        SequenceClassification.for_training(rows(*labels), requested(problem_type))
    with pytest.raises(DataError, match=r"a vector of 0 and 1"):
        encode_labels(rows(*labels), ["0", "1"], problem_type, "f.csv")


def test_lists_of_the_labels_0_and_1_are_no_vectors() -> None:
    assert SequenceClassification.for_training(rows("[0]", "[1]", "[0, 1]", "[]"), requested(MULTI_LABEL)).labels == [
        "0",
        "1",
    ]
    assert SequenceClassification.for_training(rows("[3, 5]", "[5]"), requested(MULTI_LABEL)).labels == ["3", "5"]


@pytest.mark.parametrize(
    "labels", [("pace,actors", "actors", ""), ("a; b", "c", "b;c"), ("a,b", "b,a"), ("music, a", "music")]
)
def test_commas_in_the_place_of_bars(labels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"f\.csv: line 1: found the label .*, which looks like 2 labels; expect"):
        SequenceClassification.for_training(rows(*labels), requested(MULTI_LABEL))


def test_commas_that_belong_to_a_name() -> None:
    labels = ["Paris", "Washington, D.C."]
    assert (
        SequenceClassification.for_training(rows("Washington, D.C.", "Paris", ""), requested(MULTI_LABEL)).labels
        == labels
    )
    assert encode_labels(rows("Washington, D.C."), labels, MULTI_LABEL, "f").tolist() == [[0, 1]]
    with pytest.raises(DataError, match=r"looks like 2 labels; expected labels separated by \|: pace\|actors"):
        encode_labels(rows("pace,actors"), ["actors", "pace"], MULTI_LABEL, "f")


def test_a_class_may_hold_commas_where_a_text_has_one(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('text,label\na,"x,y"\nb,x\n')
    head = SequenceClassification.for_training(read_rows(tmp_path / "f.csv", Columns()), requested())
    assert head.labels == ["x", "x,y"]


def test_the_print_of_bytes_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    for content, column in (("b'a',x\nb'c',y\n", "text"), ("a,b'x'\nc,b'y'\n", "label")):
        file.write_text("text,label\n" + content)
        with pytest.raises(DataError, match=rf"f\.csv: line 2: column '{column}': found b'.' \(printed Python bytes\)"):
            read_rows(file, Columns())
    file.write_text("text,label\nb'a',x\nc,y\n")
    assert len(read_rows(file, Columns())) == 2

"""Labels that look wrong: numbers used as classes, and names that differ only in spelling."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.files.label_checks import check_are_classes, find_similar_name, label_warnings, spelling_key
from bertsmith.tasks.files.labelled_file import Row
from bertsmith.tasks.sequence_classification.labels import encode_labels
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL


@pytest.mark.parametrize(
    "labels",
    [
        ["0.5", "1", "1.5"],
        ["3.10", "3.11"],
        ["-0.25", "0", "7"],
        ["1e-3", "2e-3"],
        ["0,5", "1,5"],
        [".5", "1."],
        ["10", "99.9"],
    ],
)
def test_decimals_are_no_classes(labels: list[str]) -> None:
    places = [(label, f"line {number}") for number, label in enumerate(labels, start=2)]
    with pytest.raises(DataError) as raised:
        check_are_classes("f.csv", labels, places)
    message = str(raised.value)
    first = next(place for label, place in places if float(label.replace(",", ".")) % 1)
    assert message.startswith(f"f.csv: {first}: found the label ")
    assert "--problem-type regression" in message and "--problem-type single_label_classification" in message
    assert ("decimal point" in message) == any("," in label for label in labels)


@pytest.mark.parametrize(
    "labels",
    [["0", "1", "2"], ["1.0", "2.0"], ["good", "0.5"], ["v1.2", "v1.3"], ["1-2", "3-4"], [], ["1e999", "2"]],
)
def test_other_labels_are_classes(labels: list[str]) -> None:
    check_are_classes("f.csv", labels, [(label, "line 2") for label in labels])


def warned(counts: dict[str, int], *, may_be_numbers: bool = True) -> list[str]:
    return list(label_warnings(counts, may_be_numbers=may_be_numbers))


def test_many_whole_numbers_may_be_a_quantity() -> None:
    many = {str(number): 1 + number % 3 for number in range(60)}
    (warning,) = warned(many)
    assert warning.startswith("train: 60 different numbers are used as classes, and 40 of them occur at most 2 times")
    assert "--problem-type regression" in warning
    assert warned(many, may_be_numbers=False) == []
    assert warned({str(number): 30 for number in range(60)}) == [], "60 classes with many rows each"
    assert warned({str(number): 1 for number in range(50)}) == []
    assert warned({f"intent {number}": 1 for number in range(60)}) == []


def test_several_labels_in_one() -> None:
    (said,) = label_warnings({"a|b": 1, "a": 2, "b": 1}, may_be_numbers=False)
    assert "'a|b' is a class, and its parts are classes too. Try: --problem-type multi_label_classification" in said
    assert not [*label_warnings({"a|b": 1, "a": 2}, may_be_numbers=False)]
    assert not [*label_warnings({"a": 1, "b": 2}, may_be_numbers=False, labels_per_text=2)]
    (said,) = label_warnings({"a/b": 1, "a": 2}, may_be_numbers=False, labels_per_text=1)
    assert "no text has more than one label" in said


def test_several_labels_that_are_decimals() -> None:
    (said,) = label_warnings({"0.5": 1, "1.5": 2}, may_be_numbers=False, labels_per_text=2)
    assert "the 2 labels are numbers with decimals, such as 0.5" in said


def test_decimals_that_only_another_file_has() -> None:
    rows = [Row("a", None, "0.5", "dev.csv", "line 2")]
    with pytest.raises(
        DataError, match=r"found the label '0.5', expected .* To predict numbers, train with --problem-type regression"
    ):
        encode_labels(rows, ["0", "1"], "single_label_classification", "dev.csv")


def test_labels_that_are_missing_values() -> None:
    (said,) = label_warnings({"nan": 1, "good": 2}, may_be_numbers=False)
    assert said == "train: the label 'nan' (1) looks like a missing value; it is used as a class"


def test_decimals_among_other_labels() -> None:
    (warning,) = warned({"0.5": 3, "1.5": 2, "2.5": 2, "n/a": 1})
    assert warning.startswith(
        "train: 3 of 4 different labels are decimal numbers, but all labels are used as classes because of 'n/a'"
    )
    assert warned({"good": 1, "bad": 3, "0.5": 1}) == []


COMPOSED, DECOMPOSED = "santé", unicodedata.normalize("NFD", "santé")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Sport", "sport"),
        ("world news", "world  news"),
        ("world news", "world\u00a0news"),
        ("world news", "worldnews"),
        (COMPOSED, DECOMPOSED),
        (COMPOSED, unicodedata.normalize("NFD", "SANTÉ")),
        ("\uff21", "a"),
        ("stra\u00dfe", "STRASSE"),
        ("zero", "ze\u200bro"),
    ],
)
def test_one_class_in_two_spellings(a: str, b: str) -> None:
    assert spelling_key(a) == spelling_key(b)
    (warning,) = warned({a: 12, "other": 5, b: 3})
    assert "(12) and " in warning and "(3) differ only in case, white space or Unicode form" in warning
    shown = warning.split(" differ")[0].removeprefix("train: the labels ").split(" and ")
    assert len(set(shown)) == 2, "the two look different in the message"
    assert find_similar_name(a, ["other", b]) == b
    row = Row("x", None, a, "dev.csv", "line 4")
    with pytest.raises(
        DataError, match=r"^dev.csv: line 4: found the label .*; the model has .*Try: spell both the same way"
    ):
        encode_labels([row], ["other", b], "single_label_classification", "dev.csv")
    with pytest.raises(DataError, match=r"; the model has .*Try: spell both the same way"):
        encode_labels([Row("x", None, (a,), "dev.csv", "line 4")], ["other", b], MULTI_LABEL, "dev.csv")


def test_names_that_differ() -> None:
    assert warned(dict(Counter(["résumé", "resume", "north", "nord", "a-b", "a_b", "\u200b", "\u200c"]))) == []
    assert find_similar_name("sport", ["sport", "politics"]) is None
    with pytest.raises(DataError, match=r"expected a label of the model \(a, b\); 1 such labels in total$"):
        encode_labels([Row("x", None, "c")], ["a", "b"], "single_label_classification", "dev.csv")


def test_white_space_around_names_in_lists_is_no_part_of_them(tmp_path: Path) -> None:
    assert Row("x", None, (" a ", "b\u00a0")).label_set == ("a", "b")

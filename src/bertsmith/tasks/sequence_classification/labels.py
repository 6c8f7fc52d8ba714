"""The labels of texts as classes: the labels of a training file, and the targets of any file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bertsmith.errors import DataError
from bertsmith.tasks.files.class_names import ClassNames, merged_class_names
from bertsmith.tasks.files.label_checks import are_decimals, find_similar_name, spelling_advice
from bertsmith.tasks.files.labelled_file import Row, sort_labels
from bertsmith.tasks.sequence_classification.label_forms import refuse_other_separators, refuse_vectors
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION


def sequence_labels(rows: Sequence[Row], problem_type: str) -> list[str]:
    """Return the labels of a training file, sorted (as numbers if all are whole numbers); empty for regression."""
    if problem_type == REGRESSION:
        return []
    _check_forms(rows, problem_type)
    names = merged_class_names(name for row in rows for name in spellings(row, problem_type))
    if not names:
        raise DataError("the label column of the training file is empty in every row; is it the right column?")
    if len(names) < 2:
        what = "label" if problem_type == MULTI_LABEL else "class"
        raise DataError(f"the training file has only one {what}, {names[0]!r}; expected at least two")
    return sort_labels(names)


def spellings(row: Row, problem_type: str) -> tuple[str, ...]:
    """Return the labels of a row as the file spells them."""
    return row.label_set if problem_type == MULTI_LABEL else (row.class_name,)


def class_names_of_row(row: Row, problem_type: str, classes: ClassNames) -> tuple[str, ...]:
    """Return the class names of the labels of a row."""
    return tuple(dict.fromkeys(classes[name] for name in spellings(row, problem_type)))


def _check_forms(rows: Sequence[Row], problem_type: str, labels: Sequence[str] = ()) -> None:
    """Raise DataError for labels that are vectors, or several labels with a wrong separator."""
    refuse_vectors(rows)
    if problem_type == MULTI_LABEL:
        refuse_other_separators(rows, labels)


def encode_labels(rows: Sequence[Row], labels: Sequence[str], problem_type: str, where: str) -> npt.NDArray[np.float64]:
    """Return the class number or the value of each row: float64 of [rows]; multi-label: [rows, labels] of 0 or 1.

    Raises DataError for a label that the training file does not have, or a value that is not a finite number.
    """
    if problem_type == REGRESSION:
        return np.array([row.number(" for regression") for row in rows])
    _check_forms(rows, problem_type, labels)
    numbers, classes = {label: number for number, label in enumerate(labels)}, ClassNames(labels)
    names = [class_names_of_row(row, problem_type, classes) for row in rows]
    unknown = sorted({name for found in names for name in found} - set(labels))
    if unknown:
        first = next(row for row, found in zip(rows, names, strict=True) if unknown[0] in found)
        near = find_similar_name(unknown[0], labels)
        decimals = are_decimals({*labels, *unknown})
        raise DataError(
            f"{first.where}: found the label {unknown[0]!r}, expected a label of the model ({', '.join(labels[:20])})"
            + (f"; {len(unknown)} such labels in total" if near is None else spelling_advice(unknown[0], near))
            + (f". To predict numbers, train with --problem-type {REGRESSION}" if decimals else "")
        )
    if problem_type == MULTI_LABEL:
        sets = np.zeros((len(rows), len(labels)))
        for number, found in enumerate(names):
            sets[number, [numbers[name] for name in found]] = 1
        return sets
    return np.array([numbers[name] for (name,) in names], dtype=np.float64)

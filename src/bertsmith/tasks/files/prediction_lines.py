"""Predictions of sequence-classification and multiple-choice, as `bertsmith evaluate --predictions` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError
from bertsmith.tasks.files.labelled_file import Row
from bertsmith.tasks.files.text_file import decoded_predictions, existing_file, finite, json_lines
from bertsmith.tasks.multiple_choice.choice_file import Question

_EXPECTED = "JSON lines with 'text' and 'label', 'labels' or 'value', as bertsmith evaluate --predictions writes them"


_EXPECTED_CHOICES = "JSON lines with 'prompt' and 'index', as bertsmith evaluate --predictions writes them"


@dataclass(frozen=True)
class Prediction:
    """A predicted label, several labels, or a value: one of the three.

    `known` are the labels that the model could have chosen, where the line says so.
    """

    label: str | None
    labels: tuple[str, ...] | None
    value: float | None
    known: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name of what it holds."""
        return "label" if self.label is not None else "value" if self.labels is None else "labels"


def read_predictions(path: Path, rows: Sequence[Row], gold: Path) -> list[Prediction]:
    """The predictions for the rows of a labelled file, line by line.

    Raises DataError, with the line, where one is no prediction, is for another text than the row at its place, or where
    labels and values are mixed or lines are missing.
    """
    existing_file(path, _EXPECTED)
    found: list[Prediction] = []
    for where, record in _aligned(path, "text", [row.text for row in rows], gold):
        found.append(_prediction(where, record))
        if found[-1].kind != found[0].kind:
            raise DataError(
                f"{where}: '{found[0].kind}' and '{found[-1].kind}' are mixed, expected one of them in all lines"
            )
    return found


def read_indices(path: Path, questions: Sequence[Question], gold: Path) -> list[int]:
    """The predicted index of each question of a multiple-choice file, line by line; raises DataError as above."""
    existing_file(path, _EXPECTED_CHOICES)
    found: list[int] = []
    for where, record in _aligned(path, "prompt", [question.prompt for question in questions], gold):
        index, choices = record.get("index"), questions[len(found)].choices
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(choices):
            raise DataError(
                f"{where}: 'index': found {index!r}, expected a whole number from 0 to {len(choices) - 1}: "
                f"{_EXPECTED_CHOICES}"
            )
        if record.get("choice", choices[index]) != choices[index]:
            raise DataError(
                f"{where}: the choice is {_short(record['choice'])}, expected {_short(choices[index])}, the one with "
                f"the index {index} in {gold}"
            )
        found.append(index)
    return found


def _aligned(path: Path, name: str, texts: Sequence[str], gold: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of predictions with their places; each holds under a name the text of the row that it is for."""
    count = 0
    for line, record in json_lines(path, decoded_predictions(path)):
        where = f"{path}: line {line}"
        if count == len(texts):
            raise DataError(f"{where}: more predictions than the {len(texts)} rows of {gold}")
        if record.get(name) != texts[count]:
            raise DataError(
                f"{where}: the {name} is {_short(record.get(name))}, expected {_short(texts[count])} of row "
                f"{count + 1} of {gold}; predictions stand in the order of the rows"
            )
        count += 1
        yield where, record
    if count < len(texts):
        raise DataError(f"{path}: {count} predictions, expected {len(texts)}, one for each row of {gold}")


def _prediction(where: str, record: dict[str, object]) -> Prediction:
    label, labels, value = record.get("label"), record.get("labels"), record.get("value")
    probabilities = record.get("probabilities") or {}
    if not isinstance(probabilities, dict):
        raise DataError(f"{where}: 'probabilities': found {kind(probabilities)}, expected an object of label to number")
    known = tuple(name.strip() for name in probabilities)
    if isinstance(label, str) and label.strip():
        return Prediction(label.strip(), None, None, known)
    if isinstance(labels, list):
        for name in labels:
            if not isinstance(name, str) or not name.strip():
                raise DataError(f"{where}: 'labels': found {name!r} in the list, expected the texts of labels")
        return Prediction(None, tuple(name.strip() for name in labels), None, known)
    if "labels" in record:
        raise DataError(f"{where}: 'labels': found {kind(labels)}, expected a list of labels")
    if "label" in record:
        raise DataError(f"{where}: 'label': found {kind(label)}, expected the text of a label")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and finite(value):
        return Prediction(None, None, float(value), ())
    if "value" in record:
        raise DataError(f"{where}: 'value': found {value!r}, expected a finite number")
    raise DataError(f"{where}: neither 'label', 'labels' nor 'value', expected {_EXPECTED}")


def _short(text: object) -> str:
    shown = repr(text) if isinstance(text, str) else "missing" if text is None else kind(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."

"""Prediction files of sequence-classification, as `bertsmith evaluate --predictions` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError
from bertsmith.tasks.files.labelled_file import Row
from bertsmith.tasks.files.prediction_lines import aligned_lines
from bertsmith.tasks.files.text_file import finite

_EXPECTED = "JSON lines with 'text' and 'label', 'labels' or 'value', as bertsmith evaluate --predictions writes them"


@dataclass(frozen=True)
class PredictedRow:
    """A predicted label, several labels, or a value: exactly one of the three.

    `known` has the labels that the model could have chosen, if the line lists them.
    """

    label: str | None
    labels: tuple[str, ...] | None
    value: float | None
    known: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name of the field that is set."""
        return "label" if self.label is not None else "value" if self.labels is None else "labels"


def read_label_predictions(path: Path, rows: Sequence[Row], labels_path: Path) -> list[PredictedRow]:
    """Read the predictions for the rows of a labelled file, line by line.

    Raises DataError with the line if it is not a prediction, or if its text differs from that of the row with the same
    number; also if labels and values are mixed, or if lines are missing.
    """
    found: list[PredictedRow] = []
    for where, record in aligned_lines(
        path, "text", [row.text for row in rows], labels_path=labels_path, expected=_EXPECTED
    ):
        found.append(_prediction(where, record))
        if found[-1].kind != found[0].kind:
            raise DataError(f"{where}: found '{found[-1].kind}', expected '{found[0].kind}' as in the lines before")
    return found


def _prediction(where: str, record: dict[str, object]) -> PredictedRow:
    label, labels, value = record.get("label"), record.get("labels"), record.get("value")
    probabilities = record.get("probabilities") or {}
    if not isinstance(probabilities, dict):
        raise DataError(f"{where}: 'probabilities': found {kind(probabilities)}, expected an object of label to number")
    known = tuple(name.strip() for name in probabilities)
    if isinstance(label, str) and label.strip():
        return PredictedRow(label.strip(), None, None, known)
    if isinstance(labels, list):
        for name in labels:
            if not isinstance(name, str) or not name.strip():
                raise DataError(f"{where}: 'labels': found {name!r} in the list, expected the texts of labels")
        return PredictedRow(None, tuple(name.strip() for name in labels), None, known)
    if "labels" in record:
        raise DataError(f"{where}: 'labels': found {kind(labels)}, expected a list of labels")
    if "label" in record:
        raise DataError(f"{where}: 'label': found {kind(label)}, expected the text of a label")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and finite(value):
        return PredictedRow(None, None, float(value), ())
    if "value" in record:
        raise DataError(f"{where}: 'value': found {value!r}, expected a finite number")
    raise DataError(f"{where}: found neither 'label', 'labels' nor 'value', expected {_EXPECTED}")

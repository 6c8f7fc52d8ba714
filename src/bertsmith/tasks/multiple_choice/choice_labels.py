"""Choice labels: positions from 0 or 1, letters, keys of the choices, or the text of the correct choice.

All files of a training have the same label format; otherwise the labels of a dev file in which the last choice is never
correct could be read off by one. Positions from 1 look like positions from 0 unless a label is 0 or equals the
number of choices, so ambiguous files cause an error or a warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.errors import DataError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.reference import FileReference

FROM_0, FROM_1, KEYS, LETTERS, TEXTS = "from 0", "from 1", "keys", "letters", "texts"
POSITIONS = (FROM_0, FROM_1)
LABEL_FORMATS = (KEYS, FROM_0, FROM_1, LETTERS, TEXTS)
"""In order of preference: the first format that fits is used, unless a second one fits and gives different choices."""


@dataclass(frozen=True)
class LabelledChoices:
    """The choices of a question with their keys, if any, and the label as in the file.

    `where` is the location in the file, with the label column.
    """

    where: str
    label: Any
    choices: tuple[str, ...]
    keys: tuple[str, ...] | None = None

    def index(self, label_format: str) -> int | None:
        """Return the index of the correct choice, from 0; None if the label does not have this format."""
        if isinstance(self.label, bool) or not isinstance(self.label, (str, int)):
            return None
        label, count = str(self.label).strip(), len(self.choices)
        if label_format in POSITIONS:
            if not re.fullmatch(r"[0-9]{1,9}", label):
                return None
            index = int(label) - POSITIONS.index(label_format)
            return index if 0 <= index < count else None
        if label_format == LETTERS:
            index = ord(label.upper()) - ord("A") if re.fullmatch("[A-Za-z]", label) else count
            return index if index < count else None
        names = self.keys or () if label_format == KEYS else [choice.strip() for choice in self.choices]
        return names.index(label) if list(names).count(label) == 1 else None


def infer_label_format(
    path: Path,
    rows: Sequence[LabelledChoices],
    *,
    labels_from: int | None,
    columns_from: int | None,
    reference: FileReference | None,
) -> str:
    """Return the label format: that of the option, else of the training file, else the first that fits every row.

    `columns_from` is the number of the first choice column, None if the columns are not numbered; labels count from 0
    if the columns do. Raises DataError if two formats fit and give different choices.
    """
    if labels_from is not None:
        return POSITIONS[labels_from]
    if reference is not None and not reference.is_from_model and reference.choice_labels is not None:
        return reference.choice_labels
    unfit = {FROM_1} if columns_from == 0 else set()
    if not any(row.keys for row in rows):
        unfit.add(KEYS)
    label_formats = [label_format for label_format in LABEL_FORMATS if label_format not in unfit]
    fitting = [
        label_format for label_format in label_formats if all(row.index(label_format) is not None for row in rows)
    ]
    if not fitting:
        return max(label_formats, key=lambda label_format: sum(row.index(label_format) is not None for row in rows))
    label_format = fitting[0]
    if label_format == KEYS:
        return label_format
    if label_format in POSITIONS:
        label_format = _infer_position_format(path, rows, fitting, columns_from=columns_from, reference=reference)
    if TEXTS in fitting and label_format != TEXTS:
        other = next((row for row in rows if row.index(TEXTS) != row.index(label_format)), None)
        if other is not None:
            raise DataError(
                f"{other.where}: found {other.label!r}, the text of a choice and the "
                f"{'position' if label_format in POSITIONS else 'letter'} of a different choice. Try: write the labels "
                "as positions from 0, and give --labels-from 0"
            )
    return label_format


def _infer_position_format(
    path: Path,
    rows: Sequence[LabelledChoices],
    fitting: Sequence[str],
    *,
    columns_from: int | None,
    reference: FileReference | None,
) -> str:
    """Decide whether positions count from 0 or 1, for a file whose labels fit at least one of the two."""
    if FROM_1 not in fitting:
        return FROM_0
    if FROM_0 not in fitting:
        last = next(row for row in rows if row.index(FROM_0) is None)
        log_info(
            f"{path}: labels are read as positions from 1: no label is 0, and {last.label!r} is the last of "
            f"{len(last.choices)} choices ({last.where.removeprefix(f'{path}: ')})"
        )
        return FROM_1
    if reference is not None and reference.choice_labels in POSITIONS:
        log_info(f"{path}: labels are read as positions {reference.choice_labels}, as in {reference.source}")
        return str(reference.choice_labels)
    found = "no label is 0 and no label is the number of choices, so positions may count from 0 or from 1"
    if columns_from == 1 and len(rows) > 1:
        raise DataError(
            f"{path}: {found}; the choice columns are numbered from 1. Try: --labels-from 1, or --labels-from 0 if "
            "label 1 is the second choice"
        )
    warn(f"{path}: {found}; they are read as positions from 0. If they count from 1, give --labels-from 1")
    return FROM_0


def indices(rows: Sequence[LabelledChoices], label_format: str, reference: FileReference | None) -> list[int]:
    """Return the index of the correct choice of each row. Raises DataError for a label with a different format."""
    found = []
    for row in rows:
        index = row.index(label_format)
        if index is None:
            hint = _hint(row, label_format, reference)
            raise DataError(f"{row.where}: found {row.label!r}, expected {_expected(row, label_format)}{hint}")
        found.append(index)
    return found


def _expected(row: LabelledChoices, label_format: str) -> str:
    count = len(row.choices)
    if label_format in POSITIONS:
        start = POSITIONS.index(label_format)
        return f"the index of one of {count} choices, from {start} to {count - 1 + start}"
    if label_format == LETTERS:
        return f"the letter of one of {count} choices, from A to {chr(ord('A') + count - 1)}"
    if label_format == KEYS:
        return "the key of a choice" + (
            f", one of {', '.join(row.keys)}" if row.keys else ", but the choices have no keys"
        )
    return "the text of exactly one of the choices"


def _hint(row: LabelledChoices, label_format: str, reference: FileReference | None) -> str:
    if reference is not None and not reference.is_from_model and reference.choice_labels is not None:
        return f", as in {reference.source}"
    if label_format == FROM_0 and row.index(FROM_1) is not None:
        return ". Try: --labels-from 1 if the labels count from 1"
    return ""

"""Labels of choices: positions from 0 or from 1, letters, the keys of the choices, or the text of the right choice.

One form holds for a whole file, and for all files of one training: a dev file in which the last choice is never right
must not be shifted against its training file. Positions from 1 look like positions from 0 unless some label is 0 or the
number of choices, so what is not certain is refused or announced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.errors import DataError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.reference import Reference

FROM_0, FROM_1, KEYS, LETTERS, TEXTS = "from 0", "from 1", "keys", "letters", "texts"
POSITIONS = (FROM_0, FROM_1)
FORMS = (KEYS, FROM_0, FROM_1, LETTERS, TEXTS)
"""The first one that fits is taken, unless another one that fits leads to different choices."""


@dataclass(frozen=True)
class LabelledChoices:
    """The choices of a question with the label as the file has it; `keys` are those of the choices, if they have any.

    `where` is the place in the file, with the column of the label.
    """

    where: str
    label: Any
    choices: tuple[str, ...]
    keys: tuple[str, ...] | None = None

    def index(self, form: str) -> int | None:
        """The index of the right choice, from 0; None if the label does not have this form."""
        if isinstance(self.label, bool) or not isinstance(self.label, (str, int)):
            return None
        label, count = str(self.label).strip(), len(self.choices)
        if form in POSITIONS:
            if not re.fullmatch(r"[0-9]{1,9}", label):
                return None
            index = int(label) - POSITIONS.index(form)
            return index if 0 <= index < count else None
        if form == LETTERS:
            index = ord(label.upper()) - ord("A") if re.fullmatch("[A-Za-z]", label) else count
            return index if index < count else None
        names = self.keys or () if form == KEYS else [choice.strip() for choice in self.choices]
        return names.index(label) if list(names).count(label) == 1 else None


def label_form(
    path: Path,
    rows: Sequence[LabelledChoices],
    *,
    labels_from: int | None,
    columns_from: int | None,
    like: Reference | None,
) -> str:
    """The form of the labels of a file: what the option says, that of the training file, else what fits every row.

    `columns_from` is the number of the first column of choices, None if they have no numbers; labels count from 0 if
    the columns do. Raises DataError if two forms fit and lead to different choices.
    """
    if labels_from is not None:
        return POSITIONS[labels_from]
    if like is not None and not like.of_model and like.choice_labels is not None:
        return like.choice_labels
    unfit = {FROM_1} if columns_from == 0 else set()
    if not any(row.keys for row in rows):
        unfit.add(KEYS)
    forms = [form for form in FORMS if form not in unfit]
    fitting = [form for form in forms if all(row.index(form) is not None for row in rows)]
    if not fitting:
        return max(forms, key=lambda form: sum(row.index(form) is not None for row in rows))
    form = fitting[0]
    if form == KEYS:
        return form
    if form in POSITIONS:
        form = _form_of_positions(path, rows, fitting, columns_from=columns_from, like=like)
    if TEXTS in fitting and form != TEXTS:
        other = next((row for row in rows if row.index(TEXTS) != row.index(form)), None)
        if other is not None:
            raise DataError(
                f"{other.where}: found {other.label!r}, the text of a choice and the "
                f"{'position' if form in POSITIONS else 'letter'} of a different choice. Write the labels as positions "
                "from 0, and give --labels-from 0"
            )
    return form


def _form_of_positions(
    path: Path,
    rows: Sequence[LabelledChoices],
    fitting: Sequence[str],
    *,
    columns_from: int | None,
    like: Reference | None,
) -> str:
    """Whether positions count from 0 or from 1, of a file whose labels fit one of the two or both."""
    if FROM_1 not in fitting:
        return FROM_0
    if FROM_0 not in fitting:
        last = next(row for row in rows if row.index(FROM_0) is None)
        log_info(
            f"{path}: the labels are positions counted from 1: none is 0, and {last.label!r} is the last of "
            f"{len(last.choices)} choices ({last.where.removeprefix(f'{path}: ')})"
        )
        return FROM_1
    if like is not None and like.choice_labels in POSITIONS:
        log_info(f"{path}: the labels are taken as positions counted {like.choice_labels}, as in {like.source}")
        return str(like.choice_labels)
    found = "no label is 0 and none is the number of choices, so positions may count from 0 or from 1"
    if columns_from == 1 and len(rows) > 1:
        raise DataError(
            f"{path}: {found}; the columns of the choices are numbered from 1. Give --labels-from 1, or "
            "--labels-from 0 if label 1 is the second choice"
        )
    warn(f"{path}: {found}; read as counted from 0. If they count from 1, give --labels-from 1")
    return FROM_0


def indices(rows: Sequence[LabelledChoices], form: str, like: Reference | None) -> list[int]:
    """The index of the right choice of each row. Raises DataError, with the place, for a label of a different form."""
    found = []
    for row in rows:
        index = row.index(form)
        if index is None:
            raise DataError(
                f"{row.where}: found {row.label!r}, expected {_expected(row, form)}{_hint(row, form, like)}"
            )
        found.append(index)
    return found


def _expected(row: LabelledChoices, form: str) -> str:
    count = len(row.choices)
    if form in POSITIONS:
        start = POSITIONS.index(form)
        return f"the index of one of {count} choices, from {start} to {count - 1 + start}"
    if form == LETTERS:
        return f"the letter of one of {count} choices, from A to {chr(ord('A') + count - 1)}"
    if form == KEYS:
        return "the key of a choice" + (
            f", one of {', '.join(row.keys)}" if row.keys else ", and the choices have none"
        )
    return "the text of exactly one of the choices"


def _hint(row: LabelledChoices, form: str, like: Reference | None) -> str:
    if like is not None and not like.of_model and like.choice_labels is not None:
        return f", as in {like.source}"
    if form == FROM_0 and row.index(FROM_1) is not None:
        return "; if the labels count from 1, give --labels-from 1"
    return ""

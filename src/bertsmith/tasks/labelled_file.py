"""Labelled files and data sets to rows of texts and a label, with every mistake at its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bertsmith.config.labelled import LabelledOptions
from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.records import form_of, read_records
from bertsmith.tasks.text_file import existing_file

TEXT_COLUMNS = ("text", "sentence", "sentence1", "premise", "question1", "content", "review")
PAIR_COLUMNS = ("text_pair", "pair", "sentence2", "hypothesis", "question2")
LABEL_COLUMNS = ("label", "labels", "score", "class", "category", "target")


@dataclass(frozen=True)
class Columns:
    """Where text, pair and label stand, and how the file is read."""

    text: str | None = None
    pair: str | None = None
    label: str | None = None
    no_header: bool = False
    form: str | None = None
    encoding: str = "utf-8"

    @classmethod
    def of(cls, options: LabelledOptions) -> Columns:
        """What the options of a verb say."""
        return cls(
            options.text_column,
            options.pair_column,
            options.label_column,
            options.no_header,
            options.format,
            options.encoding,
        )


@dataclass(frozen=True)
class Row:
    """A labelled text; `pair` is the second text of a pair. `label` is as the file has it, JSON numbers as numbers.

    `place` is where it stands in its file: `line 3`, or `row 3` of what has no lines.
    """

    text: str
    pair: str | None
    label: str | int | float
    place: str = field(default="", compare=False)


def read_rows(path: Path, columns: Columns) -> list[Row]:
    """The rows of a labelled file or data set. Raises DataError with the file and the line of the first mistake."""
    form = form_of(path, columns.form)
    if form is None:
        existing_file(path, "a labelled file")
        raise DataError(f"{path}: the ending is not .csv, .tsv, .jsonl or .parquet; say what it is with --format")
    if form == "conll":
        raise OptionError("--format conll: is for token-classification; expected csv, tsv, jsonl or parquet")
    records = read_records(path, form, columns.encoding, no_header=columns.no_header)
    present = list(records[0].values)
    text_name = _column(path, present, columns.text, TEXT_COLUMNS, "text", "--text-column", position="0")
    label_name = _column(path, present, columns.label, LABEL_COLUMNS, "label", "--label-column", position="1")
    pair_name = columns.pair
    if pair_name is None and columns.text is None:
        pair_name = next((name for name in PAIR_COLUMNS if name in present), None)
    elif pair_name is not None and pair_name not in present:
        raise DataError(f"{path}: no column {pair_name!r}; the columns there are {', '.join(present)}")
    rows = []
    for record in records:
        where, values = f"{path}: {record.place}", record.values
        for name in (text_name, label_name, *((pair_name,) if pair_name else ())):
            value = values.get(name)
            if value is None or value != value:
                raise DataError(f"{where}: column {name!r} is missing" + ("" if value is None else ", found NaN"))
        if not str(values[text_name]).strip():
            raise DataError(f"{where}: the text is empty")
        label = values[label_name]
        if isinstance(label, bool) or not isinstance(label, (str, int, float)):
            label = json.dumps(label, default=str)
        if isinstance(label, str) and not label.strip():
            raise DataError(f"{where}: the label is empty")
        rows.append(Row(str(values[text_name]), str(values[pair_name]) if pair_name else None, label, record.place))
    return rows


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels in the order of their classes: as numbers where all are whole numbers, else as texts."""
    names = sorted(set(labels))
    return sorted(names, key=int) if all(re.fullmatch(r"-?[0-9]+", name) for name in names) else names


def _column(
    path: Path, present: list[str], asked: str | None, usual: tuple[str, ...], what: str, option: str, position: str
) -> str:
    candidates: tuple[str, ...] = (asked,) if asked is not None else (*usual, *((position,) if "0" in present else ()))
    for name in candidates:
        if name in present:
            return name
    wanted = f"column {asked!r}" if asked is not None else f"column of the {what} by its usual names"
    raise DataError(
        f"{path}: no {wanted}; the columns there are {', '.join(map(repr, present))}. Name it with {option}"
        + (", or give --no-header if the first line is data." if option != "" and "0" not in present else ".")
    )

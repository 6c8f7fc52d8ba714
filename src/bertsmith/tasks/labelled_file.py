"""Labelled files: CSV, TSV and JSON lines to rows of texts and a label, with every mistake at its line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.labelled import LabelledOptions
from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.text_file import decoded, existing_file, json_lines

TEXT_COLUMNS = ("text", "sentence", "sentence1", "premise", "question1", "content", "review")
PAIR_COLUMNS = ("text_pair", "pair", "sentence2", "hypothesis", "question2")
LABEL_COLUMNS = ("label", "labels", "score", "class", "category", "target")
ENDINGS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl"}
OTHER_FORMS = {"conll": "token-classification", "squad": "question-answering"}


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
    """A labelled text; `pair` is the second text of a pair. `label` is as the file has it, JSON numbers as numbers."""

    text: str
    pair: str | None
    label: str | int | float


def read_rows(path: Path, columns: Columns) -> list[Row]:
    """The rows of a labelled file. Raises DataError with the file and the line of the first mistake."""
    existing_file(path, "a labelled file (.csv, .tsv or .jsonl)")
    form = columns.form or ENDINGS.get(path.suffix.lower())
    if form is None:
        raise DataError(f"{path}: the ending is not .csv, .tsv or .jsonl; say what it is with --format")
    if form in OTHER_FORMS:
        raise OptionError(f"--format {form}: is for {OTHER_FORMS[form]}; expected csv, tsv or jsonl")
    text = decoded(path, columns.encoding)
    records = json_lines(path, text) if form == "jsonl" else _table(path, text, form, columns.no_header)
    if not records:
        raise DataError(f"{path}: no rows in this file")
    present = list(records[0][1])
    text_name = _column(path, present, columns.text, TEXT_COLUMNS, "text", "--text-column", position="0")
    label_name = _column(path, present, columns.label, LABEL_COLUMNS, "label", "--label-column", position="1")
    pair_name = columns.pair
    if pair_name is None and columns.text is None:
        pair_name = next((name for name in PAIR_COLUMNS if name in present), None)
    elif pair_name is not None and pair_name not in present:
        raise DataError(f"{path}: no column {pair_name!r}; the columns there are {', '.join(present)}")
    rows = []
    for line, record in records:
        for name in (text_name, label_name, *((pair_name,) if pair_name else ())):
            if record.get(name) is None:
                raise DataError(f"{path}: line {line}: column {name!r} is missing")
        if not str(record[text_name]).strip():
            raise DataError(f"{path}: line {line}: the text is empty")
        label = record[label_name]
        if isinstance(label, bool) or not isinstance(label, (str, int, float)):
            label = json.dumps(label)
        if isinstance(label, str) and not label.strip():
            raise DataError(f"{path}: line {line}: the label is empty")
        rows.append(Row(str(record[text_name]), str(record[pair_name]) if pair_name else None, label))
    return rows


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels in the order of their classes: as numbers where all are whole numbers, else as texts."""
    names = sorted(set(labels))
    return sorted(names, key=int) if all(re.fullmatch(r"-?[0-9]+", name) for name in names) else names


def _table(path: Path, text: str, form: str, no_header: bool) -> list[tuple[int, dict[str, Any]]]:
    """CSV with quotes; TSV without, where a quote is a character like any other (as in GLUE's files)."""
    if form == "csv":
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if row:
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from None
    if not rows:
        return []
    if no_header:
        header = [str(number) for number in range(len(rows[0][1]))]
    else:
        header = [name.strip() for name in rows.pop(0)[1]]
    records = []
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"{path}: line {line}: {len(row)} fields, expected {len(header)} ({', '.join(header)})")
        records.append((line, dict(zip(header, row, strict=True))))
    return records


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

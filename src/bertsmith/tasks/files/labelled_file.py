"""Labelled files and data sets to rows of texts and a label, with every mistake at its line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from bertsmith.config.option_names import nearest
from bertsmith.corpus.reading.cells import is_printed_bytes, kind, printed_bytes, text_of_cell
from bertsmith.errors import DataError, OptionError, shortened
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.label_checks import NUMBER, SEPARATOR
from bertsmith.tasks.files.options import LabelledFileOptions, LabelledOptions
from bertsmith.tasks.files.pair_column import second_text_column, warn_of_empty_second_texts
from bertsmith.tasks.files.printed_lists import (
    UnreadableListError,
    are_printed_lists,
    list_in_text,
)
from bertsmith.tasks.files.records import Record, form_of, is_table, read_records
from bertsmith.tasks.files.reference import Reference
from bertsmith.tasks.files.text_file import existing_file, finite
from bertsmith.tasks.registry import TASKS

TEXT_COLUMNS = ("text", "sentence", "sentence1", "premise", "question1", "content", "review")
LABEL_COLUMNS = ("label", "labels", "score", "class", "category", "target")

Label = str | int | float | tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Where text, pair, choices and label stand, and how the file is read."""

    text: str | None = None
    pair: str | None = None
    label: str | None = None
    no_header: bool = False
    form: str | None = None
    encoding: str = "utf-8"
    choices: tuple[str, ...] | None = None
    skip_broken: bool = False
    """Whether rows of a table with another number of fields than the header are left out."""
    labels_are: Literal["plain", "entities"] | None = None
    """What kind the tags of words are; None: as they look."""
    label_names: tuple[str, ...] | None = None
    """The names of tags that are numbers, or a file of them."""
    labels_from: int | None = None
    """The number of the first choice in the labels of choices, 0 or 1; None to find it out."""
    separator: str | None = None
    """What separates the fields of a table; None: by its ending and its first rows."""
    like: Reference | None = None
    """What the file must agree with; its columns come before those of usual names."""

    @classmethod
    def of(cls, options: LabelledFileOptions) -> Columns:
        """What the options of a verb say; those of `score` name no second text."""
        return cls(
            text=options.text_column,
            pair=options.pair_column if isinstance(options, LabelledOptions) else None,
            label=options.label_column,
            no_header=options.no_header,
            form=options.format,
            encoding=options.encoding,
            choices=options.choice_columns,
            skip_broken=options.skip_broken_rows,
            labels_are=options.labels_are,
            label_names=options.label_names,
            labels_from=options.labels_from,
            separator=options.separator,
        )

    def records(self, path: Path, form: str, *, class_names: bool = True) -> list[Record]:
        """The rows of a file or data set of this form, read as the options say (`read_records`)."""
        return read_records(
            path,
            form,
            self.encoding,
            separator=self.separator,
            no_header=self.no_header,
            skip_broken=self.skip_broken,
            class_names=class_names,
        )

    def refuse_tag_options(self) -> None:
        """Raises OptionError for an option of tagged sentences, where a file has none."""
        for option, given in (("--labels-are", self.labels_are), ("--label-names", self.label_names)):
            if given is not None:
                raise OptionError(f"{option}: is for the tags of token-classification; leave it out")


@dataclass(frozen=True)
class Row:
    """A labelled text; `pair` is the second text of a pair. `label` is as the file has it: JSON numbers as numbers, a
    list as a tuple. `place` is where it stands in its file: `line 3`, or `row 3` of what has no lines; `columns` are
    those of the text and of the second one.
    """

    text: str
    pair: str | None
    label: Label
    file: str = field(default="", compare=False)
    place: str = field(default="", compare=False)
    columns: tuple[str, str | None] = field(default=("", None), compare=False)

    @property
    def where(self) -> str:
        """The place in the file, for messages."""
        return f"{self.file}: {self.place}"

    @property
    def listed(self) -> tuple[str, ...] | None:
        """The labels of a list, also of one that the file holds as text; None where the label is no list."""
        if not isinstance(self.label, str):
            return self.label if isinstance(self.label, tuple) else None
        try:
            return list_in_text(self.label)
        except UnreadableListError:
            raise DataError(
                f"{self.where}: found the label {shortened(self.label)!r}, which looks like a list and cannot be "
                f'read as one; expected a name, a JSON list such as ["a", "b"], or names separated by {SEPARATOR}'
            ) from None

    @property
    def class_name(self) -> str:
        """The one label. Raises DataError where there is none, or a list of them."""
        if self.listed is not None:
            raise DataError(
                f"{self.where}: the label is a list; give --problem-type multi_label_classification for several labels"
            )
        name = str(self.label).strip()
        if not name:
            raise DataError(f"{self.where}: the label is empty")
        return name

    @property
    def label_set(self) -> tuple[str, ...]:
        """The labels of a text that may have several or none: of a list, or separated by `|`."""
        names = self.listed
        if names is None:
            names = tuple(str(self.label).split(SEPARATOR))
        found = tuple(name.strip() for name in names)
        if found == ("",):
            return ()
        if "" in found:
            raise DataError(f"{self.where}: one of the labels in {self.label!r} is empty")
        if len(set(found)) < len(found):
            raise DataError(f"{self.where}: a label stands twice in {self.label!r}")
        return found

    def number(self, why: str) -> float:
        """The label as a number; `why` ends the message. Raises DataError where it is none that is finite."""
        written = str(self.label).strip()
        try:
            # Python reads 1_000 as a number, no other program does.
            value = math.nan if isinstance(self.label, tuple) or "_" in written else float(self.label)
        except (ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            comma = f" such as {written.replace(',', '.')}" if NUMBER.fullmatch(written) and "," in written else ""
            raise DataError(f"{self.where}: label {self.label!r}, expected a finite number{comma}{why}")
        return value


def read_rows(path: Path, columns: Columns, *, stand_in: Label | None = None) -> list[Row]:
    """The rows of a labelled file or data set. Raises DataError with the file and the line of the first mistake.

    Where there is a `stand_in`, every row has it for its label, and no column of labels is looked at.
    """
    if columns.choices is not None:
        raise OptionError("--choice-columns: a labelled text has no choices; they belong to multiple-choice")
    if columns.labels_from is not None:
        raise OptionError("--labels-from: a labelled text has no choices; the option belongs to multiple-choice")
    return rows_of(path, labelled_records(path, columns, class_names=stand_in is None), columns, stand_in=stand_in)


def rows_of(path: Path, records: Sequence[Record], columns: Columns, *, stand_in: Label | None = None) -> list[Row]:
    """The rows of a file whose records are read already. Raises DataError as `read_rows`."""
    present = list(records[0].values)
    find = partial(column_name, path, present, can_lack_header=is_table(form_of(path, columns.form)))
    like = columns.like
    usual = TEXT_COLUMNS if like is None or like.text is None else (like.text, *TEXT_COLUMNS)
    text_name = find(columns.text, usual=usual, what="text", option="--text-column", position="0")
    if columns.text is None and text_name != usual[0] and like is not None:
        log_info(f"{path}: the texts are in column {text_name!r}, those of {like.source} in {like.text!r}")
    label_name = None
    if stand_in is None:
        label_name = find(columns.label, usual=LABEL_COLUMNS, what="label", option="--label-column", position="1")
    if columns.pair is None:
        pair_name = second_text_column(path, records, text_name, text_is_chosen=columns.text is not None, like=like)
    else:
        pair_name = find(columns.pair, usual=(), what="pair", option="--pair-column", position=None)
        if like is not None and like.of_model and like.pair is None:
            warn(f"{path}: read as pairs by --pair-column, but {like.source} has single texts")
    refuse_shared_columns(path, [("text", text_name), ("label", label_name), ("second text", pair_name)])
    rows = []
    for record in records:
        where, values = f"{path}: {record.place}", record.values
        for name in (name for name in (text_name, label_name, pair_name) if name is not None):
            value = values.get(name)
            if value is None or value != value:
                found = "" if name not in values else f", found {'null' if value is None else 'NaN'}"
                raise DataError(f"{where}: column {name!r} is missing{found}")
        text = text_of_cell(values[text_name], f"{where}: column {text_name!r}", advice=_advice("text"))
        if not text.strip():
            raise DataError(f"{where}: the text is empty")
        pair = None
        if pair_name:
            pair = text_of_cell(values[pair_name], f"{where}: column {pair_name!r}", advice=_advice("pair"))
        label = stand_in
        if label_name is not None:
            label = _label(f"{where}: column {label_name!r}", values[label_name])
        assert label is not None
        if label_name is not None:
            _refuse_header(where, text, label, text_name=text_name, label_name=label_name)
        rows.append(Row(text, pair, label, str(path), record.place, (text_name, pair_name)))
    labels = [row.label for row in rows if isinstance(row.label, str)]
    pairs = [row.pair for row in rows if row.pair is not None]
    for column, texts in ((text_name, [row.text for row in rows]), (pair_name, pairs), (label_name, labels)):
        if len(texts) == len(rows) and column != label_name and are_printed_lists(texts):
            warn(
                f"{path}: column {column!r}: every text is the print of a list, such as {shortened(texts[0], 40)}, and "
                "is read as it stands; join the items to a text if they are meant"
            )
        if len(texts) == len(rows) and all(map(is_printed_bytes, texts)):
            raise printed_bytes(f"{rows[0].where}: column {column!r}", texts[0])
    if pair_name is not None:
        warn_of_empty_second_texts(path, pair_name, [(row.pair or "", row.place) for row in rows])
    return rows


def reference_of(rows: Sequence[Row], path: Path) -> Reference:
    """What the other files of a training must agree with, by the rows of the training file."""
    text, pair = rows[0].columns
    return Reference(f"the training file {path}", text=text, pair=pair)


def labelled_records(path: Path, columns: Columns, *, class_names: bool = True) -> list[Record]:
    """The rows of a file or data set by their columns, at least one; `class_names` as in `read_records`.

    Raises DataError where it is none of the forms.
    """
    columns.refuse_tag_options()
    form = form_of(path, columns.form)
    if form is None:
        existing_file(path, "a labelled file")
        raise DataError(
            f"{path}: the ending is not .csv, .tsv, .jsonl or .parquet; say what it is with --format (columns of "
            "tokens and tags are for token-classification)"
        )
    owner = next((name for name, entry in TASKS.items() if form in entry.file_forms), None)
    if owner is not None:
        raise OptionError(f"--format {form}: is for {owner}; expected csv, tsv, jsonl or parquet")
    return columns.records(path, form, class_names=class_names)


def _refuse_header(where: str, text: str, label: Label, *, text_name: str, label_name: str) -> None:
    """Raises DataError for a row whose text and label are names of such columns: files with other headers were joined,
    or the file has a header in spite of --no-header.
    """
    texts, labels = {*TEXT_COLUMNS}, {*LABEL_COLUMNS}
    advice = "leave out --no-header"
    if not text_name.isdecimal():
        texts.add(text_name.lower())
        labels.add(label_name.lower())
        advice = "give each of the joined files on its own"
    if isinstance(label, str) and text.strip().lower() in texts and label.strip().lower() in labels:
        raise DataError(
            f"{where}: found the text {text.strip()!r} with the label {label.strip()!r}, which is a header; expected a "
            f"row. Try: {advice}"
        )


def refuse_shared_columns(path: Path, columns: Sequence[tuple[str, str | None]]) -> None:
    """Raises OptionError if two of what a row has are in one column; `columns` are each in words with its column."""
    for (one, column), (other, second) in combinations(columns, 2):
        if column is not None and column == second:
            raise OptionError(
                f"{path}: column {column!r} is taken for the {one} and for the {other}; expected a column for each. "
                "Name them with the options that end in -column or -columns"
            )


def _advice(what: str) -> str:
    """How to name another column."""
    return f". Name the one that holds the text with --{what}-column"


def _label(where: str, value: Any) -> Label:
    if isinstance(value, list):
        found = []
        for item in value:
            if isinstance(item, (list, tuple, dict)) or item is None:
                raise DataError(f"{where}: found {kind(item)} in the list, expected texts")
            label = _one_label(where, item)
            found.append(label if isinstance(label, str) else json.dumps(label))
        return tuple(found)
    return _one_label(where, value)


def _one_label(where: str, value: Any) -> str | int | float:
    """A label that is no list: a text, or a number as the file has it; a truth value as JSON writes it."""
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Decimal):
        value = str(value)
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not finite(value):
            raise DataError(f"{where}: found {value}, expected a label: a text, a finite number, or a list of texts")
        return value
    return text_of_cell(value, where, advice=", a number or a list of texts. Name another column with --label-column")


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels in the order of their classes: as numbers where all are whole numbers, else as texts."""
    names = sorted(set(labels))
    return sorted(names, key=Decimal) if all(re.fullmatch(r"-?[0-9]+", name) for name in names) else names


def column_name(
    path: Path,
    present: list[str],
    asked: str | None,
    *,
    usual: tuple[str, ...],
    what: str,
    option: str,
    position: str | None,
    can_lack_header: bool,
) -> str:
    """The column that is asked for, else one of the usual names, else, in a file without a header, a position.

    Raises DataError with the columns there. `can_lack_header` is for CSV and TSV: other forms have names of columns in
    every row, or none.
    """
    candidates: tuple[str, ...] = (
        (asked,) if asked is not None else (*usual, *((position,) if position is not None and "0" in present else ()))
    )
    for name in candidates:
        if name in present:
            return name
    wanted = f"column {asked!r}" if asked is not None else f"column of the {what} by its usual names"
    joined = len(present) == 1 or any(mark in name for name in present for mark in ",;|\t")
    near = nearest(asked, present) if asked is not None else ""
    raise DataError(
        f"{path}: no {wanted}; the columns there are {', '.join(map(repr, present))}{near or '.'} Name it with {option}"
        + (", or give --no-header if the first line is data" if can_lack_header and "0" not in present else "")
        + (", or --separator if another character separates the fields." if can_lack_header and joined else ".")
    )

"""Rows of texts and a label from labelled files and datasets, with every mistake reported at its line."""

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
from bertsmith.corpus.reading.cells import is_printed_bytes, kind, printed_bytes_error, text_of_cell
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
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.files.table_records import FileRecord, detect_format, is_table, read_records
from bertsmith.tasks.files.text_file import existing_file, finite
from bertsmith.tasks.registry import TASKS

TEXT_COLUMNS = ("text", "sentence", "sentence1", "premise", "question1", "content", "review")
LABEL_COLUMNS = ("label", "labels", "score", "class", "category", "target")

Label = str | int | float | tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """The columns of text, pair, choices and label, and how the file is read."""

    text: str | None = None
    pair: str | None = None
    label: str | None = None
    no_header: bool = False
    file_format: str | None = None
    encoding: str = "utf-8"
    choices: tuple[str, ...] | None = None
    skip_broken: bool = False
    """Whether to leave out rows of a table whose number of fields differs from the header's."""
    labels_are: Literal["plain", "entities"] | None = None
    """The kind of word tags; None to detect it from the tags."""
    label_names: tuple[str, ...] | None = None
    """The names of tags that are numbers, or a file with these names."""
    labels_from: int | None = None
    """The number of the first choice in labels, 0 or 1; None to detect it."""
    separator: str | None = None
    """The separator of the fields of a table; None to detect it from the file's extension and first rows."""
    reference: FileReference | None = None
    """What the file must match; its columns are tried before the usual names."""

    @classmethod
    def of(cls, options: LabelledFileOptions) -> Columns:
        """Return the columns and format in the options of a verb; the options of `score` have no second text."""
        return cls(
            text=options.text_column,
            pair=options.pair_column if isinstance(options, LabelledOptions) else None,
            label=options.label_column,
            no_header=options.no_header,
            file_format=options.format,
            encoding=options.encoding,
            choices=options.choice_columns,
            skip_broken=options.skip_broken_rows,
            labels_are=options.labels_are,
            label_names=options.label_names,
            labels_from=options.labels_from,
            separator=options.separator,
        )

    def records(self, path: Path, file_format: str, *, class_names: bool = True) -> list[FileRecord]:
        """Read the rows of a file or dataset in this format (`read_records`)."""
        return read_records(
            path,
            file_format,
            self.encoding,
            separator=self.separator,
            no_header=self.no_header,
            skip_broken=self.skip_broken,
            class_names=class_names,
        )

    def refuse_tag_options(self) -> None:
        """Raise OptionError for an option that is only for tagged sentences."""
        for option, given in (("--labels-are", self.labels_are), ("--label-names", self.label_names)):
            if given is not None:
                raise OptionError(f"{option} is only for the tags of token-classification. Try: leave the option out")


@dataclass(frozen=True)
class Row:
    """A labelled text.

    Attributes:
        text: the text.
        pair: the second text of a pair.
        label: as in the file: JSON numbers as numbers, a list as a tuple.
        file, place: the file, and `line 3` in it (`row 3` for formats without lines).
        columns: the columns of the text and of the second text.
    """

    text: str
    pair: str | None
    label: Label
    file: str = field(default="", compare=False)
    place: str = field(default="", compare=False)
    columns: tuple[str, str | None] = field(default=("", None), compare=False)

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.file}: {self.place}"

    @property
    def listed(self) -> tuple[str, ...] | None:
        """The items if the label is a list, also if the file has the list as text; None for any other label."""
        if not isinstance(self.label, str):
            return self.label if isinstance(self.label, tuple) else None
        try:
            return list_in_text(self.label)
        except UnreadableListError:
            raise DataError(
                f"{self.where}: found the label {shortened(self.label)!r}, which looks like a list but cannot be "
                f'parsed; expected a name, a JSON list such as ["a", "b"], or names separated by {SEPARATOR}'
            ) from None

    @property
    def class_name(self) -> str:
        """The class name. Raises DataError if there is no label, or a list of labels."""
        if self.listed is not None:
            raise DataError(
                f"{self.where}: found a list of labels, expected one label. Try: --problem-type "
                "multi_label_classification"
            )
        name = str(self.label).strip()
        if not name:
            raise DataError(f"{self.where}: the label is empty")
        return name

    @property
    def label_set(self) -> tuple[str, ...]:
        """The labels of a text that may have several or none: the items of a list, or names separated by `|`."""
        names = self.listed
        if names is None:
            names = tuple(str(self.label).split(SEPARATOR))
        found = tuple(name.strip() for name in names)
        if found == ("",):
            return ()
        if "" in found:
            raise DataError(f"{self.where}: found an empty name among the labels {self.label!r}")
        if len(set(found)) < len(found):
            raise DataError(f"{self.where}: found a label twice in {self.label!r}, expected each label once")
        return found

    def number(self, reason: str) -> float:
        """Return the label as a number. Raises DataError, ending with `reason`, if it is not a finite number."""
        written = str(self.label).strip()
        try:
            # Only Python reads 1_000 as a number.
            value = math.nan if isinstance(self.label, tuple) or "_" in written else float(self.label)
        except (ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            comma = f" such as {written.replace(',', '.')}" if NUMBER.fullmatch(written) and "," in written else ""
            raise DataError(f"{self.where}: found the label {self.label!r}, expected a finite number{comma}{reason}")
        return value


def read_rows(path: Path, columns: Columns, *, placeholder_label: Label | None = None) -> list[Row]:
    """Read the rows of a labelled file or dataset. Raises DataError with file and line of the first mistake.

    With a `placeholder_label`, every row gets this label, and the label column is ignored.
    """
    if columns.choices is not None:
        raise OptionError("--choice-columns is only for multiple-choice. Try: leave the option out")
    if columns.labels_from is not None:
        raise OptionError("--labels-from is only for multiple-choice. Try: leave the option out")
    return labelled_rows(
        path,
        labelled_records(path, columns, class_names=placeholder_label is None),
        columns,
        placeholder_label=placeholder_label,
    )


def labelled_rows(
    path: Path, records: Sequence[FileRecord], columns: Columns, *, placeholder_label: Label | None = None
) -> list[Row]:
    """Return the rows of a file, given its records. Raises DataError as `read_rows` does."""
    present = list(records[0].values)
    find = partial(find_column, path, present, can_lack_header=is_table(detect_format(path, columns.file_format)))
    reference = columns.reference
    usual_names = TEXT_COLUMNS if reference is None or reference.text is None else (reference.text, *TEXT_COLUMNS)
    text_name = find(columns.text, usual_names=usual_names, what="text", option="--text-column", position="0")
    if columns.text is None and text_name != usual_names[0] and reference is not None:
        log_info(
            f"{path}: texts are read from column {text_name!r}; in {reference.source} they are in column "
            f"{reference.text!r}"
        )
    label_name = None
    if placeholder_label is None:
        label_name = find(columns.label, usual_names=LABEL_COLUMNS, what="label", option="--label-column", position="1")
    if columns.pair is None:
        pair_name = second_text_column(
            path, records, text_name, text_is_chosen=columns.text is not None, reference=reference
        )
    else:
        pair_name = find(columns.pair, usual_names=(), what="pair", option="--pair-column", position=None)
        if reference is not None and reference.is_from_model and reference.pair is None:
            warn(f"{path}: read as pairs because of --pair-column, but {reference.source} has single texts")
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
        label = placeholder_label
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
                f"{path}: column {column!r}: every text looks like a printed list, such as {shortened(texts[0], 40)}, "
                "and is read literally; to use the items as text, join them in the file"
            )
        if len(texts) == len(rows) and all(map(is_printed_bytes, texts)):
            raise printed_bytes_error(f"{rows[0].where}: column {column!r}", texts[0])
    if pair_name is not None:
        warn_of_empty_second_texts(path, pair_name, [(row.pair or "", row.place) for row in rows])
    return rows


def text_reference(rows: Sequence[Row], path: Path) -> FileReference:
    """Return what the other files of a training must match, given the rows of the training file."""
    text, pair = rows[0].columns
    return FileReference(f"the training file {path}", text=text, pair=pair)


def labelled_records(path: Path, columns: Columns, *, class_names: bool = True) -> list[FileRecord]:
    """Read the rows of a file or dataset, at least one; `class_names` as in `read_records`.

    Raises DataError if the format is unknown.
    """
    columns.refuse_tag_options()
    file_format = detect_format(path, columns.file_format)
    if file_format is None:
        existing_file(path, "a labelled file")
        raise DataError(
            f"{path}: found an unknown file extension, expected .csv, .tsv, .jsonl or .parquet. Try: --format (columns "
            "of tokens and tags are for token-classification)"
        )
    owner = next((name for name, entry in TASKS.items() if file_format in entry.file_formats), None)
    if owner is not None:
        raise OptionError(f"--format {file_format} is only for {owner}, expected csv, tsv, jsonl or parquet")
    return columns.records(path, file_format, class_names=class_names)


def _refuse_header(where: str, text: str, label: Label, *, text_name: str, label_name: str) -> None:
    """Raise DataError for a row that is a header: files with different headers were concatenated, or --no-header was
    given for a file with a header.
    """
    texts, labels = {*TEXT_COLUMNS}, {*LABEL_COLUMNS}
    advice = "leave --no-header out"
    if not text_name.isdecimal():
        texts.add(text_name.lower())
        labels.add(label_name.lower())
        advice = "give each of the concatenated files separately"
    if isinstance(label, str) and text.strip().lower() in texts and label.strip().lower() in labels:
        raise DataError(
            f"{where}: found the text {text.strip()!r} with the label {label.strip()!r}, which is a header; expected a "
            f"row. Try: {advice}"
        )


def refuse_shared_columns(path: Path, columns: Sequence[tuple[str, str | None]]) -> None:
    """Raise OptionError if a column has two roles; `columns` lists each role with its column."""
    for (one, column), (other, second) in combinations(columns, 2):
        if column is not None and column == second:
            raise OptionError(
                f"{path}: column {column!r} is used for the {one} and for the {other}; expected separate columns. "
                "Try: the options that end in -column or -columns"
            )


def _advice(what: str) -> str:
    """Return how to name the correct column."""
    return f". Try: --{what}-column to use a different column"


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
    """Return a label that is not a list: text, a number as in the file, or a boolean as JSON writes it."""
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Decimal):
        value = str(value)
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not finite(value):
            raise DataError(f"{where}: found {value}, expected a label: text, a finite number, or a list of texts")
        return value
    return text_of_cell(
        value, where, advice=", a number or a list of texts. Try: --label-column to use a different column"
    )


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Sort labels: as numbers if all are whole numbers, else as texts."""
    names = sorted(set(labels))
    return sorted(names, key=Decimal) if all(re.fullmatch(r"-?[0-9]+", name) for name in names) else names


def find_column(
    path: Path,
    present: list[str],
    requested: str | None,
    *,
    usual_names: tuple[str, ...],
    what: str,
    option: str,
    position: str | None,
    can_lack_header: bool,
) -> str:
    """Return the requested column, else a column with a usual name, else (without a header) a position.

    Raises DataError with the columns of the file. `can_lack_header` is true for CSV and TSV.
    """
    candidates: tuple[str, ...] = (
        (requested,)
        if requested is not None
        else (*usual_names, *((position,) if position is not None and "0" in present else ()))
    )
    for name in candidates:
        if name in present:
            return name
    wanted = f"column {requested!r}" if requested is not None else f"column of the {what} with a usual name"
    joined = len(present) == 1 or any(mark in name for name in present for mark in ",;|\t")
    near = nearest(requested, present) if requested is not None else ""
    raise DataError(
        f"{path}: no {wanted}; the columns are {', '.join(map(repr, present))}{near or '.'} Try: {option}"
        + (", or --no-header if the first line is data" if can_lack_header and "0" not in present else "")
        + (", or --separator if a different character separates the fields" if can_lack_header and joined else "")
    )

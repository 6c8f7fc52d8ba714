"""Rows of CSV, TSV, JSON lines, Parquet and datasets (`hf:`), each as a dict with its location.

Class numbers of a dataset (ClassLabel, also in Parquet files of the hub) are replaced by the class names. Text files
may be compressed (.gz, .zst, .xz).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import repeated_names
from bertsmith.corpus.reading.data_set_names import PREFIX, DataSetName
from bertsmith.corpus.reading.hub_datasets import load_split, next_record
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.corpus.reading.tables import TAB, detect_table_format, headers_left_out, repeats_header, rows_of_table
from bertsmith.corpus.reading.unpacking import damaged_file_error, open_source
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.text_file import decode_labelled_file, ending, existing_file, parse_json_lines

ENDINGS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
DATA_SET = "hf"
"""The format of datasets, which are named `hf:...`."""


HIDDEN = -1
"""The class number in every row of a split with secret labels, such as GLUE's test splits."""


class HiddenLabelsError(DataError):
    """A class column is -1 in every row."""


@dataclass(frozen=True)
class FileRecord:
    """A row: its values by column, and its number from 1; `unit` is `line`, or `row` for formats without lines."""

    values: dict[str, Any]
    number: int
    unit: str = "line"

    @property
    def place(self) -> str:
        """`line 3`, `row 3`."""
        return f"{self.unit} {self.number}"


def record_keys(records: Iterable[FileRecord]) -> list[str]:
    """Return the columns of all records, each once; in JSON lines a record may lack columns."""
    return list(dict.fromkeys(name for record in records for name in record.values))


def is_data_set(path: Path) -> bool:
    """Return whether a path names a dataset, `hf:NAME[/CONFIG][:SPLIT]`, instead of a file."""
    return str(path).startswith(PREFIX)


def is_table(file_format: str | None) -> bool:
    """Return whether a format is CSV or TSV."""
    return file_format in ("csv", "tsv")


def with_split(path: Path, split: str) -> Path:
    """Add this split to the name of a dataset that names none; return any other path unchanged."""
    if not is_data_set(path):
        return path
    name = DataSetName.of(str(path), split)
    return Path(f"{PREFIX}{name.written}:{name.split}")


def detect_format(path: Path, requested: str | None) -> str | None:
    """Return the format: `--format` if given, else by the file's ending, or DATA_SET; None if the ending is unknown."""
    if not is_data_set(path):
        return requested or ENDINGS.get(ending(path))
    if requested is not None:
        raise OptionError(f"--format {requested}: {path} is a dataset, not a file. Try: leave the option out")
    return DATA_SET


def read_records(
    path: Path,
    file_format: str,
    encoding: str,
    *,
    separator: str | None = None,
    no_header: bool = False,
    skip_broken: bool = False,
    class_names: bool = True,
) -> list[FileRecord]:
    """Read the rows of a file in one of the formats of ENDINGS, or of a dataset.

    The values of a column that the header names several times are `RepeatedName`. Rows that repeat the header are left
    out with a warning. Raises DataError with the file and the line or row of the first mistake, and if there is no row.

    Args:
        separator: of a table; None to detect it from the first rows.
        no_header: number the columns of a table from 0.
        skip_broken: leave out rows of a table whose number of fields differs from the header's.
        class_names: replace class numbers by class names.
    """
    if no_header and not is_table(file_format):
        raise OptionError(f"--no-header: {path} is not CSV or TSV; its columns have names. Try: leave the option out")
    if skip_broken and not is_table(file_format):
        raise OptionError(f"--skip-broken-rows: {path} is not CSV or TSV. Try: leave the option out")
    if separator is not None and not is_table(file_format):
        raise OptionError(f"--separator: {path} is not CSV or TSV. Try: leave the option out")
    if file_format == DATA_SET:
        records = _without_headers(path, _of_data_set(path, class_names))
    else:
        existing_file(path, "a labelled file (.csv, .tsv, .jsonl or .parquet)")
        if file_format == "parquet":
            records = _without_headers(path, _of_parquet(path, class_names))
        elif file_format == "jsonl":
            lines = parse_json_lines(path, decode_labelled_file(path, encoding))
            records = _without_headers(path, [FileRecord(values, line) for line, values in lines])
        else:
            default_separator = "," if file_format == "csv" else TAB
            records = _of_table(
                path,
                decode_labelled_file(path, encoding),
                default_separator,
                separator=separator,
                no_header=no_header,
                skip_broken=skip_broken,
            )
    if not records:
        raise DataError(f"{path}: found no rows in this file")
    return records


def _without_headers(path: Path, records: list[FileRecord]) -> list[FileRecord]:
    """Remove records that repeat the header of a table from which this file was made."""
    again = [
        record
        for record in records
        if repeats_header(f"{path}: {record.place}", list(record.values.values()), list(record.values))
    ]
    if not again:
        return records
    warn(f"{path}: {headers_left_out([record.number for record in again], again[0].unit)}")
    left_out = {record.number for record in again}
    return [record for record in records if record.number not in left_out]


def _of_table(
    path: Path, text: str, default_separator: str, *, separator: str | None, no_header: bool, skip_broken: bool
) -> list[FileRecord]:
    """Read a table. In TSV a quote is an ordinary character (as in GLUE), unless all opening quotes are closed."""

    def lines() -> Iterable[str]:
        return io.StringIO(text, newline="")

    layout = detect_table_format(str(path), lines, default_separator=default_separator, requested=separator)
    if layout.detected is not None:
        log_info(f"{path}: {layout.detected}")
    if layout.separator == TAB and layout.quoted:
        log_info(f"{path}: quotes are read as quoting, because every field that begins with a quote is a quoted field")
    rows = list(rows_of_table(str(path), lines(), layout))
    if not rows:
        return []
    if no_header:
        header = [str(number) for number in range(len(rows[0][1]))]
    else:
        header = [name.strip() for name in rows.pop(0)[1]]
    repeated = repeated_names(header)
    records, broken, again = [], [], []
    for line, row in rows:
        if len(row) != len(header):
            if skip_broken:
                broken.append(line)
                continue
            raise DataError(
                f"{path}: line {line}: found {len(row)} fields, expected {len(header)} ({', '.join(header)})"
            )
        if not no_header and repeats_header(f"{path}: line {line}", row, header):
            again.append(line)
            continue
        records.append(FileRecord(dict(zip(header, row, strict=True)) | repeated, line))
    if again:
        warn(f"{path}: {headers_left_out(again)}")
    if broken:
        are, first = ("are", ", the first on") if len(broken) > 1 else ("is", ",")
        warn(
            f"{path}: {len(broken):,} of {len(rows):,} rows {are} left out{first} line {broken[0]}: expected "
            f"{len(header)} fields ({', '.join(header)})"
        )
    return records


def _of_parquet(path: Path, class_names: bool) -> list[FileRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = path.stat().st_size
    if not size:
        raise DataError(f"{path}: the file is empty")
    file = SourceFile(path.name, str(path), ".parquet", size=size)
    with open_source(file) as raw:
        try:
            # use_threads=False: on a busy machine, the process aborted when a thread of the pool failed.
            table = pq.ParquetFile(raw).read(use_threads=False)
            values = table.to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise damaged_file_error(file, error) from None
    repeated = repeated_names(table.column_names)
    records = [FileRecord(row | repeated, number, "row") for number, row in enumerate(values, start=1)]
    return _named(str(path), records, _class_names_of_schema(table.schema)) if class_names else records


def _of_data_set(path: Path, class_names: bool) -> list[FileRecord]:
    location = str(path)
    split = load_split(location)
    rows = iter(split)
    records: list[FileRecord] = []
    while (row := next_record(rows, location, len(records) + 1)) is not None:
        records.append(FileRecord(row, len(records) + 1, "row"))
    return _named(location, records, _class_names(split.features or {})) if class_names else records


def _class_names_of_schema(schema: Any) -> dict[str, list[str]]:
    """Return `_class_names` of a Parquet file, from the metadata that the library datasets writes."""
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    import datasets

    return _class_names(datasets.Features.from_arrow_schema(schema))


def _class_names(features: Any) -> dict[str, list[str]]:
    """Return the class names of each column that has class numbers, or lists of class numbers."""
    import datasets

    found = {}
    for column, feature in features.items():
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, datasets.ClassLabel):
            found[column] = list(inner.names)
    return found


def _named(where: str, records: list[FileRecord], names: dict[str, list[str]]) -> list[FileRecord]:
    """Replace the class numbers of the records by class names."""
    for column in names:
        if records and all(record.values.get(column) == HIDDEN for record in records):
            raise HiddenLabelsError(
                f"{where}: column {column!r} is {HIDDEN} in every row: the labels of this split are not public (as in "
                "GLUE's test splits), so nothing can be measured on it. Try: a split with labels"
            )
    return [_named_record(where, record, names) for record in records]


def _named_record(where: str, record: FileRecord, names: dict[str, list[str]]) -> FileRecord:
    for column, classes in names.items():

        def name(number: int | None, column: str = column, classes: list[str] = classes) -> str | None:
            if number is None:
                return None
            if not 0 <= number < len(classes):
                raise DataError(
                    f"{where}: {record.place}: found {number} in column {column!r}, expected the number of one of the "
                    f"{len(classes)} classes ({', '.join(classes[:20])}), or {HIDDEN} in all rows"
                )
            return classes[number]

        value = record.values.get(column)
        record.values[column] = [name(item) for item in value] if isinstance(value, list) else name(value)
    return record

"""Files of records: CSV, TSV, JSON lines, Parquet and data sets (`hf:`) to a dict a row, each with its place.

Labels that a data set keeps as numbers of named classes (ClassLabel, also in the Parquet files of the hub) come as the
names. Text files may be packed (.gz, .zst, .xz).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import repeated_names
from bertsmith.corpus.reading.data_set_names import PREFIX, DataSetName
from bertsmith.corpus.reading.hub import load_split, next_record
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.corpus.reading.tables import TAB, form_of_table, headers_left_out, repeats_header, rows_of_table
from bertsmith.corpus.reading.unpacking import damaged, opened
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.text_file import decoded, ending, existing_file, json_lines

ENDINGS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
DATA_SET = "hf"
"""The form of what is named by `hf:` and is no file."""


HIDDEN = -1
"""What stands for the class of every row of a part whose labels are kept secret, as GLUE's test parts have it."""


class HiddenLabelsError(DataError):
    """A column of classes holds -1 in every row."""


@dataclass(frozen=True)
class Record:
    """A row: its values by column, and where it stands: `line` or `row` (of what has no lines), both from 1."""

    values: dict[str, Any]
    number: int
    unit: str = "line"

    @property
    def place(self) -> str:
        """`line 3`, `row 3`."""
        return f"{self.unit} {self.number}"


def names_of(records: Iterable[Record]) -> list[str]:
    """The columns of all records, each once: in JSON lines a record may lack some of them."""
    return list(dict.fromkeys(name for record in records for name in record.values))


def is_data_set(path: Path) -> bool:
    """Whether a path is no file but the name of a data set, `hf:NAME[/CONFIG][:SPLIT]`."""
    return str(path).startswith(PREFIX)


def is_table(form: str | None) -> bool:
    """Whether a form is of lines with fields, below a header or without one."""
    return form in ("csv", "tsv")


def with_split(path: Path, split: str) -> Path:
    """The name of a data set with its split, this one where it names none; a file as it is."""
    if not is_data_set(path):
        return path
    name = DataSetName.of(str(path), split)
    return Path(f"{PREFIX}{name.written}:{name.split}")


def form_of(path: Path, asked: str | None) -> str | None:
    """One of ENDINGS' forms or DATA_SET: what `--format` says, else the ending; None where that says nothing."""
    if not is_data_set(path):
        return asked or ENDINGS.get(ending(path))
    if asked is not None:
        raise OptionError(f"--format {asked}: {path} is a data set and no file; leave it out")
    return DATA_SET


def read_records(
    path: Path,
    form: str,
    encoding: str,
    *,
    separator: str | None = None,
    no_header: bool = False,
    skip_broken: bool = False,
    class_names: bool = True,
) -> list[Record]:
    """The rows of a file of one of ENDINGS' forms, or of a data set; without a header columns are numbered from 0.

    A column whose name the header holds several times has `RepeatedName` for its values. Rows that repeat the header
    are left out with a warning. `separator` is that of a table; without it the first rows show it. `skip_broken` leaves
    out the rows of a table that have another number of fields than its header; without `class_names` numbers of named
    classes stay numbers, whatever they are. Raises DataError with the file and the line or row of the first mistake,
    and where there is no row.
    """
    if no_header and not is_table(form):
        raise OptionError(f"--no-header: {path} is not CSV or TSV, its columns have names; leave it out")
    if skip_broken and not is_table(form):
        raise OptionError(f"--skip-broken-rows: {path} is not CSV or TSV, its rows have their columns; leave it out")
    if separator is not None and not is_table(form):
        raise OptionError(f"--separator: {path} is not CSV or TSV and has no separator; leave the option out")
    if form == DATA_SET:
        records = _without_headers(path, _of_data_set(path, class_names))
    else:
        existing_file(path, "a labelled file (.csv, .tsv, .jsonl or .parquet)")
        if form == "parquet":
            records = _without_headers(path, _of_parquet(path, class_names))
        elif form == "jsonl":
            lines = json_lines(path, decoded(path, encoding))
            records = _without_headers(path, [Record(values, line) for line, values in lines])
        else:
            usual = "," if form == "csv" else TAB
            records = _of_table(
                path, decoded(path, encoding), usual, separator=separator, no_header=no_header, skip_broken=skip_broken
            )
    if not records:
        raise DataError(f"{path}: no rows in this file")
    return records


def _without_headers(path: Path, records: list[Record]) -> list[Record]:
    """The records that are not the header of a table that this file was made from."""
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
    path: Path, text: str, usual: str, *, separator: str | None, no_header: bool, skip_broken: bool
) -> list[Record]:
    """CSV has quoted fields. In TSV a quote is a character (as in GLUE), unless all that begin a field quote one."""

    def lines() -> Iterable[str]:
        return io.StringIO(text, newline="")

    form = form_of_table(str(path), lines, usual=usual, asked=separator)
    if form.detected is not None:
        log_info(f"{path}: {form.detected}")
    if form.separator == TAB and form.quoted:
        log_info(f"{path}: quotes are taken as quoting, because every field that begins with one is a quoted field")
    rows = list(rows_of_table(str(path), lines(), form))
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
            raise DataError(f"{path}: line {line}: {len(row)} fields, expected {len(header)} ({', '.join(header)})")
        if not no_header and repeats_header(f"{path}: line {line}", row, header):
            again.append(line)
            continue
        records.append(Record(dict(zip(header, row, strict=True)) | repeated, line))
    if again:
        warn(f"{path}: {headers_left_out(again)}")
    if broken:
        are, first = ("are", ", the first on") if len(broken) > 1 else ("is", ",")
        warn(
            f"{path}: {len(broken):,} of {len(rows):,} rows {are} left out{first} line {broken[0]}: expected "
            f"{len(header)} fields ({', '.join(header)})"
        )
    return records


def _of_parquet(path: Path, class_names: bool) -> list[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = path.stat().st_size
    if not size:
        raise DataError(f"{path}: the file is empty")
    file = SourceFile(path.name, str(path), ".parquet", size=size)
    with opened(file) as raw:
        try:
            # Without a pool of threads: on a busy machine the process was seen to abort when one ended with an error.
            table = pq.ParquetFile(raw).read(use_threads=False)
            values = table.to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise damaged(file, error) from None
    repeated = repeated_names(table.column_names)
    records = [Record(row | repeated, number, "row") for number, row in enumerate(values, start=1)]
    return _named(str(path), records, _class_names_of_schema(table.schema)) if class_names else records


def _of_data_set(path: Path, class_names: bool) -> list[Record]:
    location = str(path)
    split = load_split(location)
    rows = iter(split)
    records: list[Record] = []
    while (row := next_record(rows, location, len(records) + 1)) is not None:
        records.append(Record(row, len(records) + 1, "row"))
    return _named(location, records, _class_names(split.features or {})) if class_names else records


def _class_names_of_schema(schema: Any) -> dict[str, list[str]]:
    """As `_class_names`, of a Parquet file: those that datasets wrote hold it among their metadata."""
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    import datasets

    return _class_names(datasets.Features.from_arrow_schema(schema))


def _class_names(features: Any) -> dict[str, list[str]]:
    """The names of the classes of each column that has numbers of classes, or lists of them."""
    import datasets

    found = {}
    for column, feature in features.items():
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, datasets.ClassLabel):
            found[column] = list(inner.names)
    return found


def _named(where: str, records: list[Record], names: dict[str, list[str]]) -> list[Record]:
    """The records with the names of their classes in the place of the numbers."""
    for column in names:
        if records and all(record.values.get(column) == HIDDEN for record in records):
            raise HiddenLabelsError(
                f"{where}: column {column!r} holds {HIDDEN} in every row: the labels of this part are kept secret (as "
                "those of GLUE's test parts are), so nothing can be measured on it; give a part that has labels"
            )
    return [_named_record(where, record, names) for record in records]


def _named_record(where: str, record: Record, names: dict[str, list[str]]) -> Record:
    for column, classes in names.items():

        def name(number: int | None, column: str = column, classes: list[str] = classes) -> str | None:
            if number is None:
                return None
            if not 0 <= number < len(classes):
                raise DataError(
                    f"{where}: {record.place}: column {column!r} holds {number}, which is none of the {len(classes)} "
                    f"classes ({', '.join(classes[:20])}); expected one of them in each row, or {HIDDEN} in all"
                )
            return classes[number]

        value = record.values.get(column)
        record.values[column] = [name(item) for item in value] if isinstance(value, list) else name(value)
    return record

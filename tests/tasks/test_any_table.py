"""Arbitrary tables, written by pandas, pyarrow and the csv module: read with the same cells, or refused with a line."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.errors import DataError
from bertsmith.tasks.files.labelled_file import Columns, Label, read_rows

Table = list[list[str]]

CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from(",;|\t\"'\n\\ \u2028\x85"),
    min_size=1,
    max_size=8,
).filter(lambda text: text.strip() not in ("", "text", "label", "note"))
NAMES = st.permutations(["text", "label", "note"])
ROWS = st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
SEPARATORS = st.sampled_from([",", ";", "\t", "|"])


def by_csv(file: Path, names: list[str], rows: Table, encoding: str, draw: Any) -> None:
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    sink = io.StringIO(newline="")
    writer = csv.writer(
        sink, delimiter=draw(SEPARATORS), quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))
    )
    writer.writerows([names, *rows])
    file.write_bytes(sink.getvalue().encode(encoding))


def by_pandas(file: Path, names: list[str], rows: Table, encoding: str, draw: Any) -> None:
    frame = pd.DataFrame(rows, columns=names)
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    frame.to_csv(file, sep=draw(SEPARATORS), encoding=encoding, index=draw(st.booleans()), quoting=quoting)


def by_arrow(file: Path, names: list[str], rows: Table, encoding: str, draw: Any) -> None:
    table = pa.table([pa.array(column) for column in zip(*rows, strict=True)], names=names)
    sink = io.BytesIO()
    style = draw(st.sampled_from(["needed", "all_valid"]))
    pa.csv.write_csv(table, sink, pa.csv.WriteOptions(delimiter=draw(SEPARATORS), quoting_style=style))
    file.write_bytes(sink.getvalue().decode().encode(encoding))


def by_json(file: Path, names: list[str], rows: Table, encoding: str, draw: Any) -> None:
    frame = pd.DataFrame(rows, columns=names)
    lines = frame.to_json(orient="records", lines=True, force_ascii=draw(st.booleans()))
    file.write_bytes(lines.encode(encoding))


def parquet(file: Path, names: list[str], rows: Table, encoding: str, draw: Any) -> None:
    kinds = [pa.string(), pa.large_string(), pa.binary(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    columns = []
    for column in zip(*rows, strict=True):
        kind = draw(st.sampled_from(kinds))
        columns.append(pa.array([cell.encode() if kind == pa.binary() else cell for cell in column], kind))
    pq.write_table(pa.table(columns, names=names), file)


def pandas_parquet(file: Path, names: list[str], rows: Table, encoding: str, draw: Any) -> None:
    frame = pd.DataFrame(rows, columns=names)
    frame.astype(draw(st.sampled_from(["object", "string", "category"]))).to_parquet(file)


WRITERS = {
    "csv": (by_csv, ".csv"),
    "pandas": (by_pandas, ".csv"),
    "arrow": (by_arrow, ".csv"),
    "json": (by_json, ".jsonl"),
    "parquet": (parquet, ".parquet"),
    "pandas-parquet": (pandas_parquet, ".parquet"),
}


def read(file: Path) -> list[tuple[str, Label]]:
    return [(row.text, row.label) for row in read_rows(file, Columns())]


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=40, derandomize=True, database=None)
@given(names=NAMES, rows=ROWS, encoding=ENCODINGS, data=st.data())
def test_the_same_cells(
    tmp_path_factory: pytest.TempPathFactory, name: str, names: list[str], rows: Table, encoding: str, data: Any
) -> None:
    write, ending = WRITERS[name]
    file = tmp_path_factory.getbasetemp() / f"any-{name}{ending}"
    write(file, names, rows, encoding, data.draw)
    assert read(file) == [(row[names.index("text")], row[names.index("label")]) for row in rows]


@pytest.mark.parametrize("name", ["csv", "arrow", "parquet"])
@settings(max_examples=20, derandomize=True, database=None)
@given(names=NAMES, rows=ROWS, encoding=ENCODINGS, data=st.data())
def test_a_name_twice_or_missing(
    tmp_path_factory: pytest.TempPathFactory, name: str, names: list[str], rows: Table, encoding: str, data: Any
) -> None:
    write, ending = WRITERS[name]
    file = tmp_path_factory.getbasetemp() / f"wrong-{name}{ending}"
    used = data.draw(st.sampled_from(["text", "label"]))
    twice = [used if each == "note" else each for each in names]
    write(file, twice, rows, encoding, data.draw)
    with pytest.raises(DataError, match=rf"(line|row) \d+: column '{used}': found this name 2 times"):
        read(file)
    write(file, ["other" if each == used else each for each in names], rows, encoding, data.draw)
    with pytest.raises(DataError, match=f"no column of the {used} with a usual name"):
        read(file)


@settings(max_examples=60, derandomize=True, database=None)
@given(names=NAMES, rows=ROWS, encoding=ENCODINGS, data=st.data())
def test_a_row_of_another_width_is_refused_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], rows: Table, encoding: str, data: Any
) -> None:
    file = tmp_path_factory.getbasetemp() / "ragged.csv"
    place = data.draw(st.integers(0, len(rows) - 1))
    rows[place] = data.draw(st.sampled_from([rows[place][:2], [*rows[place], "more"]]))
    by_csv(file, names, rows, encoding, data.draw)
    with pytest.raises(DataError, match=r"ragged\.csv: (line \d+: |.*--separator if)"):
        read(file)


@settings(max_examples=150, derandomize=True, database=None)
@given(st.binary(max_size=40) | st.text('ab,;"\n\r\t|\0', max_size=30).map(str.encode), st.sampled_from(["csv", "tsv"]))
def test_whatever_bytes_are_rows_or_an_error_with_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, form: str
) -> None:
    file = tmp_path_factory.getbasetemp() / f"bytes.{form}"
    separator = b"," if form == "csv" else b"\t"
    file.write_bytes(b"text" + separator + b"label\n" + content)
    try:
        rows = read_rows(file, Columns())
    except DataError as error:
        assert str(error).startswith(str(file))
    else:
        assert rows and all(row.text.strip() for row in rows)

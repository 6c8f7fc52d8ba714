"""Cells that are not text, repeated column names, repeated headers, separators, byte order marks."""

from __future__ import annotations

import datetime
import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.corpus.reading import ReadingNotes, ReadingOptions, find_files, read_documents
from bertsmith.corpus.reading.cells import text_of_cell
from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.files.labelled_file import Columns, Row, read_rows
from bertsmith.tasks.files.text_file import parse_json_lines, read_json_object
from bertsmith.tasks.multiple_choice.choice_file import read_choice_questions
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.slice_columns import column_values


def corpus(file: Path, **options: Any) -> tuple[list[tuple[str, ...]], ReadingNotes]:
    """The paragraphs that `prepare` reads, and its notes."""
    notes = ReadingNotes()
    (source,) = find_files((str(file),))
    return [document.paragraphs for document in read_documents(source, ReadingOptions(**options), notes)], notes


# Cells


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"caf\xc3\xa9", None),
        (b"caf\xe9", r"bytes that are not UTF-8 \(byte 3 is 0xe9\)"),
        (["a", "b"], "a list"),
        ({"en": "a"}, "an object"),
        (True, "true or false"),
        (3, "a number"),
        (2.5, "a number"),
        (Decimal("1.5"), "a number"),
        (float("nan"), "NaN"),
        (None, "null"),
        (datetime.datetime(2026, 11, 30), "a date or time"),
    ],
)
def test_a_cell_is_a_text_or_refused(value: object, found: str | None) -> None:
    if found is None:
        assert text_of_cell(value, "f: row 1") == "café"
    else:
        with pytest.raises(DataError, match=f"f: row 1: found {found}, expected text"):
            text_of_cell(value, "f: row 1")


ARRAYS = {
    "string": pa.array(["good", "bad"]),
    "large_string": pa.array(["good", "bad"], pa.large_string()),
    "string_view": pa.array(["good", "bad"], pa.string_view()),
    "dictionary": pa.array(["good", "bad"]).dictionary_encode(),
    "binary": pa.array([b"good", b"bad"], pa.binary()),
    "large_binary": pa.array([b"good", b"bad"], pa.large_binary()),
    "fixed": pa.array([b"good", b"bad "], pa.binary(4)),
    "list": pa.array([["good"], ["bad"]]),
    "struct": pa.array([{"en": "good"}, {"en": "bad"}]),
    "bool": pa.array([True, False]),
    "int": pa.array([1, 2]),
    "date": pa.array([datetime.date(2026, 11, 30)] * 2),
    "latin-1": pa.array([b"caf\xe9", b"bad"], pa.binary()),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_both_readers_take_and_refuse_the_same_columns(tmp_path: Path, name: str) -> None:
    file = tmp_path / "f.parquet"
    pq.write_table(pa.table({"text": ARRAYS[name], "label": ["x", "y"]}), file)
    if ARRAYS[name].type in (pa.list_(pa.string()), pa.bool_(), pa.int64(), pa.date32()) or name in (
        "struct",
        "latin-1",
    ):
        with pytest.raises(DataError, match=r"f\.parquet: row 1: column 'text': found .*, expected text"):
            read_rows(file, Columns())
        with pytest.raises(DataError, match=r"f\.parquet: .*column 'text'.* expected (text|strings)"):
            corpus(file)
    else:
        assert [row.text.strip() for row in read_rows(file, Columns())] == ["good", "bad"]
        assert corpus(file)[0] == [("good",), ("bad",)]


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ({"a": 1}, "an object"),
        ([{"a": 1}], "an object in the list"),
        (float("inf"), "inf, expected a label"),
    ],
)
def test_a_label_that_is_none(tmp_path: Path, label: object, found: str) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text(json.dumps({"text": "a", "label": label}))
    with pytest.raises(DataError, match=rf"f\.jsonl: line 1: column 'label': found {found}"):
        read_rows(file, Columns())


def test_labels_of_parquet(tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    for values, labels in (
        (pa.array([b"x", b"y"], pa.binary()), ["x", "y"]),
        (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
        (pa.array([Decimal("1"), Decimal("2")], pa.decimal128(3, 0)), ["1", "2"]),
        (pa.array([True, False]), ["true", "false"]),
    ):
        pq.write_table(pa.table({"text": ["a", "b"], "label": values}), file)
        assert [row.class_name for row in read_rows(file, Columns())] == labels
    pq.write_table(pa.table({"text": ["a"], "label": [datetime.date(2026, 1, 1)]}), file)
    with pytest.raises(DataError, match=r"row 1: column 'label': found a date or time, expected text, a number"):
        read_rows(file, Columns())


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"prompt": ["He"], "choices": ["a", "b"]}, "column 'prompt': found a list, expected text"),
        ({"prompt": True, "choices": ["a", "b"]}, "column 'prompt': found true or false, expected text"),
        ({"prompt": "He", "choices": ["a", {"b": 1}]}, r"choice 1 \(from 0\): found an object, expected text"),
        ({"prompt": "He", "choices": ["a", True]}, r"choice 1 \(from 0\): found true or false"),
    ],
)
def test_prompts_and_choices_are_texts(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text(json.dumps(record | {"label": 0}))
    with pytest.raises(DataError, match=f"line 1: {message}"):
        read_choice_questions(file, Columns())
    file.write_text('{"prompt": "2 + 2", "choices": [3, 4], "label": 1}')
    assert read_choice_questions(file, Columns())[0].choices == ("3", "4"), "the answer to a sum may be a number"


# Halves of surrogate pairs


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (r'{"text": "a \ud83d b", "label": 1}', "'text'"),
        (r'{"text": "a", "label": "\uDC00"}', "'label'"),
        (r'{"text": "a", "label": ["x", "\udfff"]}', r"'label'\[1\]"),
        (r'{"text": "a", "label": 1, "user": {"n\ud800": 1}}', "the name "),
    ],
)
def test_half_a_pair_is_refused_with_its_place(line: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"text": "a", "label": 1}\n' + line)
    with pytest.raises(DataError, match=rf"f\.jsonl: line 2: {place}.* contains half of a surrogate pair \(\\u"):
        read_rows(tmp_path / "f.jsonl", Columns())
    (tmp_path / "f.json").write_text(line)
    with pytest.raises(DataError, match=r"f\.json: .* contains half of a surrogate pair"):
        read_json_object(tmp_path / "f.json", "an object")


def test_whole_pairs_are_characters(tmp_path: Path) -> None:
    assert parse_json_lines(tmp_path, r'{"a": "\ud83d\ude00", "b": "\\ud83d"}') == [(1, {"a": "😀", "b": r"\ud83d"})]


def test_utf_7_may_hold_half_a_pair_too(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"text,label\n+2D0-,1\n")
    with pytest.raises(DataError, match=r"f\.csv: found half of a surrogate pair|is not utf-7"):
        read_rows(tmp_path / "f.csv", Columns(encoding="utf-7"))


# Names that occur twice


def test_a_name_that_occurs_twice_is_refused_where_it_is_used(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("text,label, text ,,\na,x,b,,\n")
    message = r"f\.csv: line 2: column 'text': found this name 2 times \(positions 1 and 3\), expected it once"
    with pytest.raises(DataError, match=message):
        read_rows(file, Columns())
    with pytest.raises(DataError, match=r"f\.csv: column 'text': found this name 2 times \(positions 1 and 3\)"):
        corpus(file)
    with pytest.raises(OptionError, match=r"--slice text: .*this name 2 times"):
        column_values(SequenceClassification, file, Columns(), name="text")
    file.write_text("text,label,x,x,,\na,y,b,c,,\n")
    assert read_rows(file, Columns()) == [Row("a", None, "y")], "other names may occur twice, and be empty"
    assert corpus(file)[0] == [("a",)]
    with pytest.raises(DataError, match=r"column 'x': found this name 2 times \(positions 3 and 4\)"):
        read_rows(file, Columns(label="x"))


def test_a_key_that_occurs_twice(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text('{"text": "a", "label": 1, "text": "b"}\n')
    with pytest.raises(DataError, match=r"line 1: column 'text': found this name 2 times \(positions 1 and 3\)"):
        read_rows(file, Columns())
    with pytest.raises(DataError, match=r"line 1: 'text': found this name 2 times"):
        corpus(file)
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["x"]), pa.array(["b"])], names=["text", "label", "text"])
    pq.write_table(table, tmp_path / "f.parquet")
    with pytest.raises(DataError, match=r"row 1: column 'text': found this name 2 times"):
        read_rows(tmp_path / "f.parquet", Columns())
    with pytest.raises(DataError, match=r"f\.parquet: column 'text': found this name 2 times"):
        corpus(tmp_path / "f.parquet")


# A header in the middle


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("f.csv", 'text,label\na,x\n"text",label\n\ufeff text,label\nb,y\n', "line 3"),
        ("f.tsv", "text\tlabel\r\na\tx\r\ntext\tlabel\r\ntext\tlabel\r\nb\ty\r\n", "line 3"),
        (
            "f.jsonl",
            '{"text": "a", "label": "x"}\n{"text": "text", "label": "label"}\n{"label": "label", "text": "text"}\n'
            '{"text": "b", "label": "y"}',
            "line 2",
        ),
    ],
)
def test_rows_that_repeat_the_header_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: str, place: str
) -> None:
    file = tmp_path / name
    file.write_text(content, newline="")
    with caplog.at_level(logging.WARNING, "bertsmith"):
        assert read_rows(file, Columns()) == [Row("a", None, "x"), Row("b", None, "y")]
    assert f"{file}: 2 rows repeat the header (the first is {place}) and are left out" in caplog.text
    if name != "f.jsonl":
        texts, notes = corpus(file)
        assert texts == [("a",), ("b",)]
        assert f"{name}: 2 rows repeat the header (the first is {place}) and are left out" in notes.detected


def test_a_second_header_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("text,label\na,x\nlabel,text\ny,b\n")
    message = (
        r"f\.csv: line 3: found a second header, label, text, with the columns in a different order than text, label"
    )
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / "f.csv", Columns())
    with pytest.raises(DataError, match=message):
        corpus(tmp_path / "f.csv")


def test_numbers_of_columns_are_no_header(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a,1\n0,1\n1,0\n")
    assert len(read_rows(tmp_path / "f.csv", Columns(no_header=True))) == 3


# Separators


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_other_separators_are_recognised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, separator: str, end: str
) -> None:
    rows = ("text*label", "a, b, c*x", '"one ""two"", three"*y')
    file = tmp_path / "f.csv"
    file.write_text(end.join(rows).replace("*", separator) + end, newline="")
    with caplog.at_level(logging.INFO, "bertsmith"):
        assert read_rows(file, Columns()) == [Row("a, b, c", None, "x"), Row('one "two", three', None, "y")]
    assert f"{file}: fields are separated by " in caplog.text
    texts, notes = corpus(file)
    assert texts == [("a, b, c",), ('one "two", three',)]
    assert any("fields are separated by " in note for note in notes.detected)


@pytest.mark.parametrize(
    ("content", "options", "rows"),
    [
        ("sep=;\r\ntext;label\r\na,b;x\r\n", {}, [Row("a,b", None, "x")]),
        ("a,b;x\nc;y\n", {"no_header": True, "separator": ";"}, [Row("a,b", None, "x"), Row("c", None, "y")]),
        ("a;x\nc, d;y\n", {"no_header": True}, [Row("a", None, "x"), Row("c, d", None, "y")]),
        ("text*label\na,b*x\n", {"separator": "*"}, [Row("a,b", None, "x")]),
        ("text,label\na;b,x\n", {}, [Row("a;b", None, "x")]),
        ("text\tlabel\na;b\tx\n", {"separator": "\t"}, [Row("a;b", None, "x")]),
    ],
)
def test_which_separator_is_taken(tmp_path: Path, content: str, options: dict[str, Any], rows: list[Row]) -> None:
    (tmp_path / "f.csv").write_text(content, newline="")
    assert read_rows(tmp_path / "f.csv", Columns(**options)) == rows


@pytest.mark.parametrize(
    ("content", "options", "rows", "said"),
    [
        ("text;label;a, b\nc, d;x;\ne;y;\n", {}, [("c, d", "x"), ("e", "y")], "separated by semicolons, as its first"),
        ("c, d;x\ne;y\n", {"no_header": True}, [("c, d", "x"), ("e", "y")], "separated by semicolons, as its first"),
        ("c, d;x\ne, f;y\n", {"no_header": True}, [("c", " d;x"), ("e", " f;y")], r"commas; semicolons would also fit"),
        ("text,label\nc; d,x\ne,y\n", {}, [("c; d", "x"), ("e", "y")], None),
        ('text\tlabel\n"c\td"\tx\n', {}, [("c\td", "x")], "separated by tabs, as its first rows"),
    ],
)
def test_semicolons_and_commas_in_one_table(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    content: str,
    options: dict[str, Any],
    rows: list[tuple[str, str]],
    said: str | None,
) -> None:
    (tmp_path / "f.csv").write_text(content)
    with caplog.at_level(logging.INFO, "bertsmith"):
        assert [(row.text, row.label) for row in read_rows(tmp_path / "f.csv", Columns(**options))] == rows
    assert "separated by" not in caplog.text if said is None else said in caplog.text


def test_names_that_hold_separators_are_a_hint(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("text;label;a, b\nc, d;x;\n")
    with pytest.raises(DataError, match=r"no column of the text .*, or --separator if a different character separates"):
        read_rows(tmp_path / "f.csv", Columns())


@pytest.mark.parametrize(
    ("content", "no_header", "advice"),
    [
        ("text,label\na,x\n", True, "line 1: found the text 'text' with the label 'label', .* leave --no-header out"),
        (
            "id,text,label\n1,a,x\nID,Sentence,label\n",
            False,
            "line 3: .* give each of the concatenated files separately",
        ),
    ],
)
def test_a_row_that_is_a_header(tmp_path: Path, content: str, no_header: bool, advice: str) -> None:
    (tmp_path / "f.csv").write_text(content)
    with pytest.raises(DataError, match=advice):
        read_rows(tmp_path / "f.csv", Columns(no_header=no_header))


def test_a_header_with_other_capitals_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("text,label\na,x\nText,LABEL\nb,y\n")
    assert [row.label for row in read_rows(tmp_path / "f.csv", Columns())] == ["x", "y"]
    assert corpus(tmp_path / "f.csv")[0] == [("a",), ("b",)]


@pytest.mark.parametrize(("rows", "kept"), [(1, 2), (50, None)])
def test_the_print_of_bytes_is_no_text_of_a_corpus(tmp_path: Path, rows: int, kept: int | None) -> None:
    """Among other texts a single one is kept; a column of which nearly all are such prints is refused."""
    (tmp_path / "f.csv").write_text("text\n" + "b'a film'\n" * rows)
    with pytest.raises(DataError, match=r"f\.csv: line 2: column 'text': found b'a film' \(printed Python bytes\)"):
        corpus(tmp_path / "f.csv")
    (tmp_path / "f.csv").write_text("text\n" + "b'a film'\n" * rows + "a film\n")
    if kept is None:
        with pytest.raises(DataError, match="printed Python bytes"):
            corpus(tmp_path / "f.csv")
    else:
        assert len(corpus(tmp_path / "f.csv")[0]) == kept


def test_the_print_of_bytes_is_no_second_text(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("sentence1,sentence2,label\na,b'c d',x\n")
    with pytest.raises(DataError, match=r"line 2: column 'sentence2': found b'c d' \(printed Python bytes\)"):
        read_rows(tmp_path / "f.csv", Columns())


def test_a_tsv_with_other_separators(tmp_path: Path) -> None:
    (tmp_path / "f.tsv").write_text("id,text\n1,a film\n2,a play\n")
    texts, notes = corpus(tmp_path / "f.tsv")
    assert texts == [("a film",), ("a play",)]
    assert notes.detected == [
        "f.tsv: fields are separated by commas, as its header shows (--separator tab reads it as TSV)"
    ]
    (tmp_path / "f.tsv").write_text('"text\na\n')
    assert corpus(tmp_path / "f.tsv")[0] == [("a",)]
    (tmp_path / "f.tsv").write_text("Yes, a text\nno, a text\n")
    assert corpus(tmp_path / "f.tsv")[0] == [("no, a text",)]


def test_an_id_that_occurs_twice_in_parquet_is_no_id(tmp_path: Path) -> None:
    columns = [pa.array(["1"]), pa.array(["2"]), pa.array(["a film"])]
    pq.write_table(pa.table(columns, names=["id", "id", "text"]), tmp_path / "f.parquet")
    assert corpus(tmp_path / "f.parquet")[0] == [("a film",)]


def test_texts_that_are_printed_lists_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "f.csv").write_text("text,label\n\"['a', 'b']\",x\n\"['c']\",y\n")
    read_rows(tmp_path / "f.csv", Columns())
    assert "column 'text': every text looks like a printed list, such as ['a', 'b']" in caplog.text


def test_one_column_is_no_table_of_semicolons(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("text\none; two\nthree\n")
    assert corpus(tmp_path / "f.csv")[0] == [("one; two",), ("three",)]
    (tmp_path / "f.csv").write_text("text;label\none; two; three\n")
    with pytest.raises(
        DataError, match=r"the columns are 'text;label'.*or --separator if a different character separates"
    ):
        read_rows(tmp_path / "f.csv", Columns())


def test_what_has_no_separator(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"text": "a", "label": 1}')
    with pytest.raises(OptionError, match=r"--separator: .*f\.jsonl is not CSV or TSV"):
        read_rows(tmp_path / "f.jsonl", Columns(separator=";"))


# Byte order marks


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-8"])
@pytest.mark.parametrize("asked", ["utf-8", "cp1252"])
def test_a_byte_order_mark_decides_the_encoding(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, encoding: str, asked: str
) -> None:
    mark = "" if encoding in ("utf-16", "utf-32") else "\ufeff"
    (tmp_path / "f.csv").write_bytes(f"{mark}text,label\r\ncafé ਊ,x\r\n".encode(encoding))
    with caplog.at_level(logging.INFO, "bertsmith"):
        assert read_rows(tmp_path / "f.csv", Columns(encoding=asked)) == [Row("café ਊ", None, "x")]
    texts, notes = corpus(tmp_path / "f.csv", encoding=asked)
    assert texts == [("café ਊ",)]
    said = (
        "" if encoding == asked else f"f.csv: read as {encoding[:6].removesuffix('-')} because of its byte order mark"
    )
    assert said in caplog.text
    assert notes.detected == ([said] if said else [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("asked", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_byte_order_mark_decides_whatever_is_asked_for(tmp_path: Path, encoding: str, asked: str) -> None:
    (tmp_path / "f.csv").write_bytes("\ufefftext,label\ncafé,x\n".encode(encoding))
    assert read_rows(tmp_path / "f.csv", Columns(encoding=asked)) == [Row("café", None, "x")]
    assert corpus(tmp_path / "f.csv", encoding=asked)[0] == [("café",)]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_the_order_of_bytes_without_a_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "f.csv").write_bytes("text,label\ncafé,x\n".encode(encoding))
    assert read_rows(tmp_path / "f.csv", Columns(encoding=encoding[:6])) == [Row("café", None, "x")]
    assert corpus(tmp_path / "f.csv", encoding=encoding[:6])[0] == [("café",)]


def test_utf_16_without_a_mark_is_binary(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes("text,label\na,x\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"f\.csv: byte 1 is NUL, .*Try: --encoding utf-16"):
        read_rows(tmp_path / "f.csv", Columns())
    assert read_rows(tmp_path / "f.csv", Columns(encoding="utf-16-le")) == [Row("a", None, "x")]

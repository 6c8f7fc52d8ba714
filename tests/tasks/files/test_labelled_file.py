"""Labelled files as they occur in practice; every mistake is reported at its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.files.labelled_file import Columns, Row, read_rows
from bertsmith.tasks.sequence_classification.task import SequenceClassification


def rows_of(tmp_path: Path, name: str, content: str | bytes, **columns: object) -> list[Row]:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return read_rows(file, Columns(**columns))  # type: ignore[arg-type]


# What is read


def test_csv_has_quotes(tmp_path: Path) -> None:
    content = 'text,label\n"one, ""two""",a\n"over\ntwo lines",b\nplain,c\n'
    assert rows_of(tmp_path, "f.csv", content) == [
        Row('one, "two"', None, "a"),
        Row("over\ntwo lines", None, "b"),
        Row("plain", None, "c"),
    ]


def test_tsv_has_none_and_a_quote_is_a_character(tmp_path: Path) -> None:
    content = 'text\tlabel\nthe 5" disk\t0\n"half a quotation\t1\n"whole"\t0\n'
    assert [row.text for row in rows_of(tmp_path, "f.tsv", content)] == ['the 5" disk', '"half a quotation', '"whole"']


def test_jsonl_keeps_numbers_and_reads_any_text(tmp_path: Path) -> None:
    lines = [{"text": 'a\tb\n"c"', "label": 2.5}, {"text": "é", "label": 1}, {"text": "x", "label": True}]
    content = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    assert rows_of(tmp_path, "f.jsonl", content) == [
        Row('a\tb\n"c"', None, 2.5),
        Row("é", None, 1),
        Row("x", None, "true"),
    ]


@pytest.mark.parametrize("name", ["f.csv", "f.tsv", "f.jsonl"])
def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path, name: str) -> None:
    content = {
        "f.csv": "text,label\r\ngood,1\r\nbad,0\r\n",
        "f.tsv": "text\tlabel\r\ngood\t1\r\nbad\t0\r\n",
        "f.jsonl": '{"text": "good", "label": "1"}\r\n{"text": "bad", "label": "0"}\r\n',
    }[name]
    rows = rows_of(tmp_path, name, b"\xef\xbb\xbf" + content.encode())
    assert rows == [Row("good", None, "1"), Row("bad", None, "0")]


@pytest.mark.parametrize(
    ("header", "text", "pair", "label"),
    [
        ("sentence,label", 0, None, 1),
        ("index,sentence1,sentence2,label", 1, 2, 3),
        ("label,premise,hypothesis", 1, 2, 0),
        ("question1,question2,score", 0, 1, 2),
        (" text , label ", 0, None, 1),
        ("text,text_pair,category", 0, 1, 2),
    ],
)
def test_usual_columns_are_found(tmp_path: Path, header: str, text: int, pair: int | None, label: int) -> None:
    values = [f"value {number}" for number in range(header.count(",") + 1)]
    (row,) = rows_of(tmp_path, "f.csv", f"{header}\n{','.join(values)}\n")
    assert row == Row(values[text], None if pair is None else values[pair], values[label])


def test_columns_by_name(tmp_path: Path) -> None:
    content = "text,label,body,other,grade\na,b,c,d,e\n"
    assert rows_of(tmp_path, "f.csv", content, text="body", label="grade") == [Row("c", None, "e")]
    assert rows_of(tmp_path, "f.csv", content, text="body", pair="other", label="grade") == [Row("c", "d", "e")]
    assert rows_of(tmp_path, "f.csv", content, pair="other") == [Row("a", "d", "b")]


def test_a_named_text_column_is_a_single_text(tmp_path: Path) -> None:
    """If an option names the text column, a column with a usual name for second texts does not make pairs."""
    content = "sentence1,sentence2,label\na,b,1\n"
    assert rows_of(tmp_path, "f.csv", content, text="sentence2") == [Row("b", None, "1")]


def test_without_a_header_columns_have_numbers(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "f.tsv", "good\t1\nbad\t0\n", no_header=True) == [
        Row("good", None, "1"),
        Row("bad", None, "0"),
    ]
    cola = "gj04\t1\t\tOur friends won't buy this.\ngj04\t0\t*\tThe more pictures.\n"
    assert rows_of(tmp_path, "f.tsv", cola, no_header=True, text="3", label="1") == [
        Row("Our friends won't buy this.", None, "1"),
        Row("The more pictures.", None, "0"),
    ]


def test_the_form_may_be_said(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "f.txt", "text\tlabel\na\t1\n", file_format="tsv") == [Row("a", None, "1")]
    assert rows_of(tmp_path, "f.tsv", "text,label\na,1\n", file_format="csv") == [Row("a", None, "1")]


def test_encodings(tmp_path: Path) -> None:
    content = "text,label\ncafé,1\n"
    assert rows_of(tmp_path, "f.csv", content.encode("cp1252"), encoding="cp1252")[0].text == "café"
    assert rows_of(tmp_path, "f.csv", content.encode("utf-16"), encoding="utf-16")[0].text == "café"


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    assert len(rows_of(tmp_path, "f.csv", "text,label\n\na,1\n\nb,2\n\n")) == 2


@pytest.mark.parametrize("field", ['""', '"  "', "  "])
def test_an_empty_text_is_one_where_there_is_one_column_too(tmp_path: Path, field: str) -> None:
    (tmp_path / "f.csv").write_text(f"text\nabc\n\n{field}\nxyz\n")
    with pytest.raises(DataError, match=r"f\.csv: line 4: the text is empty"):
        read_rows(tmp_path / "f.csv", Columns(), placeholder_label="a")


def test_the_columns_of_another_file_come_before_usual_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (first,) = rows_of(tmp_path, "train.csv", "review,sentence2,label\ngood,film,1\n")
    assert first.columns == ("review", "sentence2")
    reference = SequenceClassification.reference([first], tmp_path / "train.csv")
    (row,) = rows_of(
        tmp_path, "dev.csv", "text,review,text_pair,sentence2,label\nid7,bad,id8,play,1\n", reference=reference
    )
    assert (row.text, row.pair) == ("bad", "play")
    with caplog.at_level("INFO"):
        (row,) = rows_of(tmp_path, "dev.csv", "text,text_pair,label\nbad,play,1\n", reference=reference)
    assert (row.text, row.pair) == ("bad", "play")
    assert "texts are read from column 'text'; in the training file" in caplog.text
    assert "second texts are read from column 'text_pair'; in the training file" in caplog.text
    (row,) = rows_of(
        tmp_path, "dev.csv", "text,review,sentence2,label\nid7,bad,play,1\n", reference=reference, text="text"
    )
    assert row.text == "id7", "what is asked for comes first"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.text(min_size=1).filter(str.strip), st.integers() | st.text(min_size=1).filter(str.strip)),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_json_writes_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, int | str]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    lines = [json.dumps({"text": text, "label": label}) for text, label in records]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert [(row.text, row.label) for row in read_rows(file, Columns())] == records


# What is refused


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.csv", "text,label\na,1\nb\nc,2\n", r"line 3: found 1 fields, expected 2 \(text, label\)"),
        ("f.csv", 'text,label\n"two\nlines",1\nb,1,x\n', r"line 4: found 3 fields, expected 2"),
        ("f.tsv", "text\tlabel\na\t1\nb\t\tc\t1\n", r"line 3: found 4 fields, expected 2"),
        ("f.csv", 'text,label\n"never closed,1\n', r"line 2: found a quoted field without its closing quote"),
        ("f.csv", "text,label\nx,1\n  ,1\n", r"line 3: the text is empty"),
        ("f.csv", "", "the file is empty"),
        ("f.csv", "text,label\n", "no rows in this file"),
        ("f.csv", "\n\n", "no rows in this file"),
        (
            "f.csv",
            "a,b\n1,2\n",
            r"no column of the text with a usual name; the columns are 'a', 'b'.*--text-column",
        ),
        ("f.csv", "text,b\n1,2\n", r"no column of the label with a usual name; .*'text', 'b'.*--label-column"),
        ("f.jsonl", '{"text": "a", "label": 1}\n{"text": "b"\n', r"line 2: not JSON \(.* at column \d+\)"),
        ("f.jsonl", '{"text": "a", "label": 1}\n\n[1]\n', r"line 3: found a list, expected an object"),
        ("f.jsonl", '{"text": "a", "label": 1}\n{"text": "b"}\n', r"line 2: column 'label' is missing"),
        ("f.jsonl", '{"text": null, "label": 1}\n', r"line 1: column 'text' is missing, found null"),
        ("f.txt", "text,label\na,1\n", r"extension, expected \.csv, \.tsv, \.jsonl or \.parquet\. Try: --format"),
    ],
)
def test_mistakes_have_file_and_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        rows_of(tmp_path, name, content)
    assert str(raised.value).startswith(str(tmp_path / name))


def test_an_empty_label_is_none_of_a_class_and_no_label_of_a_set(tmp_path: Path) -> None:
    first, second = rows_of(tmp_path, "f.csv", "text,label\na,x\nb, \n")
    assert first.class_name == "x" and second.label_set == ()
    with pytest.raises(DataError, match=r"f\.csv: line 3: the label is empty"):
        assert second.class_name


def test_a_list_of_labels(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "f.jsonl", '{"text": "a", "labels": ["x", 2, " y "]}\n')
    assert row.label_set == ("x", "2", "y")
    with pytest.raises(
        DataError,
        match=r"f\.jsonl: line 1: found a list of labels, expected one label. Try: --problem-type multi_label",
    ):
        assert row.class_name
    with pytest.raises(DataError, match=r"f\.jsonl: line 1: column 'label': found null in the list, expected texts"):
        rows_of(tmp_path, "f.jsonl", '{"text": "a", "label": ["x", null]}\n')


def test_a_column_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    content = "text,label\na,1\n"
    for option in ("text", "label"):
        with pytest.raises(DataError, match=rf"no column 'body'; .*'text', 'label'.*--{option}-column"):
            rows_of(tmp_path, "f.csv", content, **{option: "body"})
    with pytest.raises(DataError, match=r"no column 'body'; .*'text', 'label'.* --pair-column"):
        rows_of(tmp_path, "f.csv", content, pair="body")


def test_bytes_of_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2, byte 14 \(0xe9\) is not utf-8. Try: --encoding \(windows-1252 is"):
        rows_of(tmp_path, "f.csv", "text,label\ncafé,1\n".encode("cp1252"))


def test_an_encoding_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--encoding: found 'utf-99', expected an encoding that Python knows"):
        rows_of(tmp_path, "f.csv", "text,label\na,1\n", encoding="utf-99")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_rows(tmp_path / "f.csv", Columns())
    with pytest.raises(DataError, match="found a folder, expected a labelled file"):
        read_rows(tmp_path, Columns())


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("f.jsonl", '{"review": "a", "lable": 1}\n', r"did you mean 'lable'\? Try: --label-column$"),
        ("f.csv", "review,lable\na,1\n", r"did you mean 'lable'\? Try: --label-column, or --no-header if"),
    ],
)
def test_only_a_table_can_lack_its_header(tmp_path: Path, name: str, content: str, hint: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(DataError, match=hint):
        read_rows(file, Columns(label="label"))
    with pytest.raises(DataError, match=r"no column 'second'; .*--pair-column"):
        read_rows(file, Columns(label="lable", pair="second"))


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        (Columns(text="label"), "the text and for the label"),
        (Columns(label="text"), "the text and for the label"),
        (Columns(pair="text"), "the text and for the second text"),
        (Columns(pair="label"), "the label and for the second text"),
    ],
)
def test_a_column_has_one_use(tmp_path: Path, columns: Columns, roles: str) -> None:
    (tmp_path / "f.csv").write_text("text,label\na,x\n")
    with pytest.raises(OptionError, match=rf"f\.csv: column '\w+' is used for {roles}; expected separate columns"):
        read_rows(tmp_path / "f.csv", columns)


@pytest.mark.parametrize(
    ("label", "expected"),
    [("3,5", "a finite number such as 3.5$"), ("1_0", "a finite number$")],
)
def test_what_is_no_number(label: str, expected: str) -> None:
    with pytest.raises(DataError, match=f"label '{label}', expected {expected}"):
        Row("a", None, label).number("")


def test_options_of_tags_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("text,label\na,0\n")
    for columns in (Columns(labels_are="plain"), Columns(label_names=("no", "yes"))):
        with pytest.raises(
            OptionError, match=r"--label.* is only for the tags of token-classification. Try: leave the option out"
        ):
            read_rows(tmp_path / "f.csv", columns)

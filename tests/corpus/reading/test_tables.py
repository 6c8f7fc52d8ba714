"""Reading CSV, TSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.corpus.reading import ReadingNotes, ReadingOptions, find_files, read_documents
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]
ReadNoting = Callable[..., tuple[list[Document], ReadingNotes]]
Pack = Callable[[bytes, str], bytes]

SEPARATORS = {"a.csv": ",", "a.tsv": "\t"}
TABLE = {"id": ["x", ""], "n": ["1", "2"], "text": ['One, "two".\n\nThree.', ""]}
DOCUMENTS = [("x", ('One, "two".', "Three.")), ("{name}#1", ())]


def csv_of(columns: dict[str, list[str]], *, end: str = "\r\n", delimiter: str = ",") -> bytes:
    sink = io.StringIO(newline="")
    # the writer quotes only its own line ends, so with other line ends quote all fields
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([list(columns), *zip(*columns.values(), strict=True)])
    return sink.getvalue().encode()


def parquet_of(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("compression", ["", ".gz", ".zst", ".xz"])
@pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
def test_each_form_plain_and_packed(read: Read, packed: Pack, tmp_path: Path, form: str, compression: str) -> None:
    if form == "parquet":
        if compression:
            return
        content = parquet_of(TABLE)
    else:
        content = packed(csv_of(TABLE, delimiter="," if form == "csv" else "\t"), compression)
    name = f"a.{form}{compression}"
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path) == [Document(key.format(name=name), paragraphs) for key, paragraphs in DOCUMENTS]


columns = st.lists(st.text(max_size=15), min_size=1, max_size=6)


@given(columns, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["csv", "tsv"]))
def test_every_text_of_a_table_comes_back(
    read: Read, tmp_path_factory: pytest.TempPathFactory, texts: list[str], end: str, form: str
) -> None:
    # a few NUL bytes per thousand are accepted, so the file has thousands of other bytes
    texts = [text.encode(errors="replace").decode() for text in texts]
    table = {"text": [*texts, "x" * 100_000], "n": [str(number) for number in range(len(texts) + 1)]}
    file = tmp_path_factory.mktemp("any") / f"a.{form}"
    file.write_bytes(csv_of(table, end=end, delimiter="," if form == "csv" else "\t"))
    assert [document.paragraphs for document in read(file)][:-1] == [paragraphs_of(text) for text in texts]


@given(st.lists(st.text(max_size=15) | st.none(), min_size=1, max_size=6), st.booleans())
def test_every_text_of_a_parquet_file_comes_back(
    read: Read, tmp_path_factory: pytest.TempPathFactory, texts: list[str | None], dictionary: bool
) -> None:
    texts = [text and text.encode(errors="replace").decode() for text in texts]
    file = tmp_path_factory.mktemp("any") / "a.parquet"
    array = pa.array(texts, pa.string())
    file.write_bytes(parquet_of({"text": array.dictionary_encode() if dictionary else array}))
    assert [document.paragraphs for document in read(file)] == [paragraphs_of(text or "") for text in texts]


@pytest.mark.parametrize(
    ("content", "paragraphs", "said"),
    [
        (b'text\tn\n"Yes," he said\t1\n', ('"Yes," he said',), "quotes are ordinary characters"),
        (b'text\tn\n"Yes\t1\n', ('"Yes',), "quotes are ordinary characters"),
        (b'text\tn\n"Yes\t1\nNo"\t2\n', ('"Yes',), "quotes are ordinary characters"),
        (b'text\tn\n"Yes\tno"\t1\n', ("Yes no",), "fields may be quoted"),
        (b'text\tn\n"A ""b"""\t1\n', ('A "b"',), "fields may be quoted"),
        (b'text\tn\nA "b"\t1\n', ('A "b"',), None),
    ],
)
def test_quotes_in_tsv_are_detected(
    read_noting: ReadNoting, tmp_path: Path, content: bytes, paragraphs: tuple[str, ...], said: str | None
) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    if said is not None and b"No" in content:
        # with quotes this is one row of two fields: a valid table, but not the intended one
        content = content.replace(b'No"\t2', b"No\t2")
        (tmp_path / "a.tsv").write_bytes(content)
    documents, notes = read_noting(tmp_path)
    assert tuple(" ".join(text.split()) for text in documents[0].paragraphs) == paragraphs
    assert notes.detected == ([f"a.tsv: {said}"] if said else [])


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_the_column_of_the_text(read: Read, tmp_path: Path, name: str) -> None:
    def write(**columns: list[str]) -> None:
        content = csv_of(columns, delimiter=SEPARATORS[name]) if name in SEPARATORS else parquet_of(columns)
        (tmp_path / name).write_bytes(content)

    write(n=["1"], content=["Yes."])
    assert read(tmp_path)[0].paragraphs == ("Yes.",)
    assert read(tmp_path, text_column="n")[0].paragraphs == ("1",)
    with pytest.raises(DataError, match=rf"{name}: no column 'tale'; the columns are 'n', 'content'.*--text-col"):
        read(tmp_path, text_column="tale")
    write(story=["Yes."])
    assert read(tmp_path)[0].paragraphs == ("Yes.",)
    write(id=["Yes."])
    with pytest.raises(DataError, match=rf"{name}: no column named text, .* are 'id'\."):
        read(tmp_path)
    write(story=["Yes."], n=["1"])
    with pytest.raises(DataError, match=rf"{name}: no column named text, .*; the columns are 'story', 'n'"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,n\nfine,1\ntoo,many,fields\n", r"a\.csv: line 3: found 3 fields, expected 2 \(text, n\)"),
        ("a.csv", b'text,n\nfine,1\n"open,1\nmore,2\n', r"line 3: found a quoted field without its closing quote"),
        ("a.csv", b'text,n\n"fine\n",1\n"wrong"ly,1\n', r"line 4: .*expected after"),
        ("a.csv", b"text,n\ncaf\xe9,1\n", r"a\.csv: line 2, byte 10 \(0xe9\) is not utf-8"),
        ("a.csv", b"\x00" * 10, r"a\.csv: byte 0 is NUL"),
        ("a.tsv", b"text\tn\nfine\n", r"a\.tsv: line 2: found 1 fields, expected 2"),
        ("a.tsv", b'text\tn\n"fine"\n', r"a\.tsv: line 2: found 1 fields, expected 2"),
        ("a.parquet", b"PAR1 this is none PAR1", r"a\.parquet: cannot be read to its end: "),
        ("a.parquet", b" ", r"a\.parquet: cannot be read to its end: "),
        ("a.parquet", parquet_of({"text": [1, 2]}), r"a\.parquet: column 'text' holds int64, expected strings"),
        ("a.parquet", parquet_of({"text": [["a"]]}), r"column 'text' holds list<.*>, expected strings"),
    ],
)
def test_what_is_wrong_with_a_table(read: Read, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("at", [0.3, 0.99])
def test_a_parquet_file_that_is_cut_off(read: Read, tmp_path: Path, at: float) -> None:
    content = parquet_of({"text": [f"Line {number}." for number in range(1_000)]})
    (tmp_path / "a.parquet").write_bytes(content[: int(at * len(content))])
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read to its end"):
        read(tmp_path)


def test_a_text_in_parquet_that_is_not_utf8(read: Read, tmp_path: Path) -> None:
    wrong = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
    (tmp_path / "a.parquet").write_bytes(parquet_of({"text": wrong}))
    with pytest.raises(DataError, match=r"a\.parquet: .*not UTF-8"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b""), ("a.csv", b"\n \n\r\n"), ("a.tsv", b"\n\t"[:1]), ("a.parquet", b"")]
)
def test_a_table_without_text_is_one_document_without_paragraphs(
    read: Read, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path) == [Document(f"{name}#0", ())]


def test_a_header_alone_holds_no_documents(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,id\n\n")
    (tmp_path / "b.parquet").write_bytes(parquet_of({"text": pa.array([], pa.string())}))
    assert read(tmp_path) == []


def test_ids_in_parquet_may_be_numbers(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet_of({"id": [7, None, 9], "text": ["a", "b", "c"]}))
    assert [document.id for document in read(tmp_path)] == ["7", "a.parquet#1", "9"]


def test_the_position_in_a_parquet_file_grows_to_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet_of({"text": ["One and two."] * 3_000}, row_group_size=1_000))
    notes = ReadingNotes()
    (file,) = find_files((str(tmp_path),))
    positions = [notes.position for _ in read_documents(file, ReadingOptions(), notes)]
    assert positions == sorted(positions)
    assert positions[0] < (file.size or 0) / 2
    assert positions[-1] == file.size

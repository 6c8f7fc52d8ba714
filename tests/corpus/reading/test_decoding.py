"""Decoding bytes: encodings, byte order marks, NUL bytes, and the position of invalid bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading import ReadingNotes, ReadingOptions, find_files, read_documents
from bertsmith.corpus.reading.decoding import lines_with_ends, plain_lines, split_lines
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]
Pack = Callable[[bytes, str], bytes]
ReadNoting = Callable[..., tuple[list[Document], ReadingNotes]]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8", "U8"])
def test_a_byte_order_mark_is_no_text(read: Read, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfOne.")
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "Two."}\n')
    assert [document.paragraphs for document in read(tmp_path, encoding=encoding)] == [("One.",), ("Two.",)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_utf_16_and_32_also_in_json_lines(read: Read, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffĊne ਊ.".encode(encoding))
    (tmp_path / "b.jsonl").write_bytes('{"text": "Twoਊ."}\r\n{"text": "Three."}\n'.encode(encoding))
    documents = read(tmp_path, encoding=encoding)
    assert [document.paragraphs for document in documents] == [("Ċne ਊ.",), ("Twoਊ.",), ("Three.",)]


def test_cp1252(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 \x93yes\x94 wait\x85")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "caf\xe9"}')
    assert [document.paragraphs for document in read(tmp_path, encoding="cp1252")] == [("café “yes” wait…",), ("café",)]


def test_film_reviews_in_cp1252(read: Read, shared_data: Path, tmp_path: Path) -> None:
    raw = (shared_data / "classification" / "sentence-polarity" / "rt-polarity.neg").read_bytes()
    (tmp_path / "a.txt").write_bytes(raw)
    assert len(read(tmp_path, documents="line", encoding="cp1252")) == 5_331
    with pytest.raises(DataError, match=rf"a.txt: byte {_first_bad(raw)} \(0x"):
        read(tmp_path)


def _first_bad(raw: bytes) -> int:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start
    raise AssertionError("all of it is UTF-8")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["", ".gz", ".zst", ".xz"])
def test_a_byte_that_is_not_utf8_is_named_by_its_place(
    read: Read, packed: Pack, tmp_path: Path, mark: bytes, ending: str
) -> None:
    text, lines = tmp_path / f"a.txt{ending}", tmp_path / f"b.jsonl{ending}"
    content = mark + b"One.\nTw\xe9.\n"
    text.write_bytes(packed(content, ending))
    with pytest.raises(
        DataError, match=rf"a.txt{ending}: byte {content.index(0xE9)} \(0xe9\) is not utf-8.*windows-1252"
    ):
        read(text)
    content = mark + b'{"text": "One."}\n{"text": "Tw\xe9."}\n'
    lines.write_bytes(packed(content, ending))
    with pytest.raises(DataError, match=rf"b.jsonl{ending}: line 2, byte {content.index(0xE9)} \(0xe9\)"):
        read(lines)
    content = mark + b'{"text": "On\xe9."}\n'
    lines.write_bytes(packed(content, ending))
    with pytest.raises(DataError, match=rf"line 1, byte {content.index(0xE9)} \(0xe9\)"):
        read(lines)


def test_replaced_bytes_are_counted_one_by_one(read_noting: ReadNoting, tmp_path: Path) -> None:
    # \xe2\x82 starts a euro sign: one replacement for two bytes. A U+FFFD in the text is not a replacement.
    (tmp_path / "a.txt").write_bytes(b"a\xe9b \xe2\x82 c \xef\xbf\xbd")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "\xff\xff"}')
    documents, notes = read_noting(tmp_path, encoding_errors="replace")
    assert [document.paragraphs for document in documents] == [("a\ufffdb \ufffd c \ufffd",), ("\ufffd\ufffd",)]
    assert notes.replaced_bytes == 5


def test_binary_files_are_refused_with_the_place_in_the_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"One.\x00")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "One."}\n{"text": "T\x00"}\n')
    with pytest.raises(DataError, match=r"a.txt: byte 4 is NUL.*--encoding utf-16"):
        read(tmp_path / "a.txt")
    with pytest.raises(DataError, match=r"b.jsonl: byte 28 is NUL"):
        read(tmp_path / "b.jsonl")


def test_binary_is_more_than_one_nul_in_a_thousand_bytes_of_the_head(read: Read, tmp_path: Path) -> None:
    few = b"abcdefghi\n" * 6_000
    for content, refused in (
        (few + b"\0" * 60, False),
        (few + b"\0" * 61, True),
        (few * 2 + b"\0" * 5_000, False),
    ):
        (tmp_path / "a.txt").write_bytes(content)
        if refused:
            with pytest.raises(DataError, match=r"a\.txt: byte 60000 is NUL, so this is a binary file"):
                read(tmp_path)
        else:
            assert "\0" in read(tmp_path)[0].paragraphs[-1]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.md"])
def test_a_bad_byte_deep_in_a_file_is_named_by_line_and_byte(read: Read, tmp_path: Path, name: str) -> None:
    line = b'{"text": "One two three four."}\n' if name == "a.jsonl" else b"One two three four.\n"
    content = line * 100_000 + b"bad \xff\n" + line
    (tmp_path / name).write_bytes(content)
    at = content.index(0xFF)
    with pytest.raises(DataError, match=rf"{name}: line 100001, byte {at} \(0xff\) is not utf-8"):
        read(tmp_path)


def test_a_bad_byte_is_no_error_before_it_is_reached(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "One."}\n{"text": "Two."}\n{"text": "\xff"}\n')
    documents = read_documents(find_files((str(tmp_path),))[0], ReadingOptions(), ReadingNotes())
    assert [next(documents).paragraphs, next(documents).paragraphs] == [("One.",), ("Two.",)]
    with pytest.raises(DataError, match="line 3"):
        next(documents)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32", "gb18030", "shift_jis", "utf-7"])
def test_characters_across_the_ends_of_pieces(read: Read, tmp_path: Path, encoding: str) -> None:
    text = "aあいう" * 600_000
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert read(tmp_path, encoding=encoding) == [Document("a.txt#0", (text,))]


@pytest.mark.parametrize("at", [(1 << 20) - 1, (1 << 20) - 2, 1 << 20])
def test_a_bad_byte_at_the_end_of_a_piece(read_noting: ReadNoting, tmp_path: Path, at: int) -> None:
    (tmp_path / "a.txt").write_bytes(b"a" * at + b"\xe2\x82" + b"b" * 100)
    with pytest.raises(DataError, match=rf"byte {at} \(0xe2\)"):
        read_noting(tmp_path)
    documents, notes = read_noting(tmp_path, encoding_errors="replace")
    assert documents[0].paragraphs == ("a" * at + "\ufffd" + "b" * 100,)
    assert notes.replaced_bytes == 2


pieces = st.lists(st.text(st.sampled_from("a\r\n\u2028")))


@given(pieces)
def test_lines_are_those_of_python_wherever_pieces_end(parts: list[str]) -> None:
    text = "".join(parts)
    assert list(lines_with_ends(parts)) == list(io.StringIO(text, newline=""))
    assert list(plain_lines(parts)) == [line.strip() for line in io.StringIO(text, newline="")]
    assert list(split_lines(parts)) == text.removesuffix("\n").split("\n") if text else True

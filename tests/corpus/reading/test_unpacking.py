"""Compressed files: their whole content, and the messages for truncated files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading import ReadingNotes, ReadingOptions, find_files, read_documents
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]
Pack = Callable[[bytes, str], bytes]

TWO_TALKS = "One came in.\nHe sat down.\n\nTwo went out.\nShe ran.\n"


def to_json_lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.mark.parametrize("ending", ["", ".gz", ".zst", ".xz"])
def test_plain_and_compressed_files_hold_the_same(read: Read, packed: Pack, tmp_path: Path, ending: str) -> None:
    text, lines = tmp_path / f"a.txt{ending}", tmp_path / f"b.jsonl{ending}"
    text.write_bytes(packed(TWO_TALKS.encode(), ending))
    lines.write_bytes(packed(to_json_lines({"id": "x", "text": "One.\n\nTwo."}, {"text": "Three."}), ending))
    assert read(text, lines) == [
        Document(f"a.txt{ending}#0", ("One came in.", "He sat down."), lines_are_sentences=True),
        Document(f"a.txt{ending}#1", ("Two went out.", "She ran."), lines_are_sentences=True),
        Document("x", ("One.", "Two.")),
        Document(f"b.jsonl{ending}#1", ("Three.",)),
    ]


def test_several_frames_and_members_are_all_read(read: Read, packed: Pack, tmp_path: Path) -> None:
    for ending in (".gz", ".zst", ".xz"):
        whole = b"".join(packed(part, ending) for part in (b'{"text": "on', b'e"}\n', b'{"text": "two"}'))
        (tmp_path / f"a.jsonl{ending}").write_bytes(whole)
        assert [document.paragraphs for document in read(tmp_path / f"a.jsonl{ending}")] == [("one",), ("two",)]


@pytest.mark.parametrize("ending", [".gz", ".zst", ".xz"])
@pytest.mark.parametrize("kept", [0.5, 0.98])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_compressed_file_that_is_cut_off(
    read: Read, packed: Pack, tmp_path: Path, name: str, ending: str, kept: float
) -> None:
    line = json.dumps({"text": "".join(chr(33 + (n * n) % 89) for n in range(5_000))})
    content = packed("\n".join([line] * 20).encode(), ending)
    (tmp_path / f"{name}{ending}").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=rf"{name}{ending}: cannot be read to its end.*truncated"):
        read(tmp_path)


@pytest.mark.parametrize("ending", [".gz", ".zst", ".xz"])
def test_a_compressed_file_that_is_damaged_or_none(read: Read, packed: Pack, tmp_path: Path, ending: str) -> None:
    whole = packed("".join(f"Line {number * number}.\n" for number in range(500)).encode(), ending)
    damaged = [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in (10, 40, len(whole) // 2)]
    for number, bad in enumerate((*damaged, whole + b"This is no frame.", b"This is plain text.")):
        file = tmp_path / f"{number}.txt{ending}"
        file.write_bytes(bad)
        with pytest.raises(DataError, match=r"cannot be read to its end|is not utf-8"):
            read(file)


def test_the_position_grows_to_the_size_of_the_file(tmp_path: Path) -> None:
    lines = to_json_lines(*({"text": "One and two and three. " * 50} for _ in range(3_000)))
    (tmp_path / "a.jsonl").write_bytes(lines)
    notes = ReadingNotes()
    positions = [notes.position for _ in read_documents(find_files((str(tmp_path),))[0], ReadingOptions(), notes)]
    assert positions == sorted(positions)
    assert positions[0] < len(lines) / 2
    assert positions[-1] == len(lines)

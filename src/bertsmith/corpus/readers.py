"""Readers: files to documents.

`.txt` is one document or many (`--documents`), `.jsonl` has one a line; both may be compressed (`.gz`, `.zst`).
Compressed files and JSON lines are streamed; a plain text is read whole, because what a document is shows only in
the whole file. Bytes that are not in the encoding stop the work with their offset, or are replaced and counted.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import zstandard

from bertsmith.corpus.document import Document, blocks_of, paragraphs_of
from bertsmith.errors import DataError

FORMATS = (".txt", ".jsonl")
COMPRESSIONS = (".gz", ".zst")
TEXT_KEYS = ("text", "content", "body", "document", "sentence")
SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", ".'", '."', ".”", ".’", "!”", "?”", '!"', '?"', ".)")
DETECT_SHARE = 0.8


@dataclass
class ReadingOptions:
    """How files are read; see `config.prepare.SourceOptions`."""

    documents: Literal["auto", "file", "blank-line", "line"] = "auto"
    text_column: str | None = None
    encoding: str = "utf-8"
    encoding_errors: Literal["strict", "replace"] = "strict"


@dataclass
class ReadingNotes:
    """What was detected and counted while reading."""

    detected: list[str] = field(default_factory=list)
    replaced_bytes: int = 0
    position: int = 0
    """Bytes read so far of the present file, as it lies on the disk."""


@dataclass(frozen=True)
class SourceFile:
    """A file, and its name below the source that named it (the first part of its documents' ids)."""

    path: Path
    name: str


def find_files(sources: tuple[str, ...]) -> list[SourceFile]:
    """The files behind paths, folders and globs, in the order of the sources, folders sorted by name.

    Raises DataError for a path that is not there, a folder without a readable file, and a file of another form.
    """
    found: dict[Path, SourceFile] = {}
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = [item for item in sorted(path.rglob("*")) if item.is_file() and _form(item) is not None]
            if not inside:
                raise DataError(f"{source}: no .txt or .jsonl file (plain, .gz or .zst) in this folder")
            files = [SourceFile(item, item.relative_to(path).as_posix()) for item in inside]
        elif path.is_file():
            files = [SourceFile(path, path.name)]
        else:
            matches = [Path(item) for item in _matches(source) if Path(item).is_file()]
            if not matches:
                raise DataError(f"{source}: no such file or folder, and no file matches it as a pattern")
            files = [SourceFile(item, item.name) for item in matches]
        for file in files:
            if _form(file.path) is None:
                raise DataError(
                    f"{file.path}: the ending is not one that is read; expected .txt or .jsonl, "
                    "plain or with .gz or .zst behind it"
                )
            found.setdefault(file.path.resolve(), file)
    files = list(found.values())
    taken: dict[str, int] = {}
    unique = []
    for file in files:
        count = taken.get(file.name, 0)
        taken[file.name] = count + 1
        unique.append(SourceFile(file.path, f"{file.path.parent.name}/{file.name}") if count else file)
    return unique


def _matches(pattern: str) -> list[str]:
    return sorted(glob(pattern, recursive=True))  # noqa: PTH207 (pathlib takes no absolute patterns)


def _form(path: Path) -> str | None:
    suffixes = path.suffixes
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes = suffixes[:-1]
    return suffixes[-1] if suffixes and suffixes[-1] in FORMATS else None


def read_documents(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """The documents of one file, in order. Raises DataError naming the file, the place, and what was found there."""
    if file.path.stat().st_size == 0:
        raise DataError(f"{file.path}: the file is empty")
    read = _read_jsonl if _form(file.path) == ".jsonl" else _read_txt
    try:
        raw = file.path.open("rb")
    except OSError as error:
        raise DataError(f"{file.path}: cannot be opened: {error.strerror}") from None
    with raw, _unpacked(file.path, raw) as stream:
        for document in read(file, stream, options, notes):
            notes.position = raw.tell()
            yield document


def _unpacked(path: Path, raw: BinaryIO) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(raw, "rb"))
    if path.suffix == ".zst":
        reader = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(raw, closefd=False)
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, reader)))
    return raw


def _blocks(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """The file's bytes in pieces. Raises DataError where a compressed file is cut off or damaged."""
    try:
        while piece := stream.read(1 << 20):
            yield piece
    except (EOFError, zstandard.ZstdError, gzip.BadGzipFile, OSError) as error:
        raise DataError(f"{path}: cannot be read to its end: {error}. Is the file cut off or damaged?") from None


def _lines(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream, split at \\n alone."""
    rest = b""
    for piece in _blocks(path, stream):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _decode(raw: bytes, offset: int, file: SourceFile, options: ReadingOptions, notes: ReadingNotes, where: str) -> str:
    encoding = (
        "utf-8-sig"
        if options.encoding.lower().replace("_", "-") in ("utf-8", "utf8") and offset == 0
        else options.encoding
    )
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        if options.encoding_errors == "replace":
            text = raw.decode(encoding, errors="replace")
            notes.replaced_bytes += text.count("\ufffd") - raw.count("\ufffd".encode())
            return text
        found = raw[error.start : error.start + 1].hex()
        raise DataError(
            f"{file.path}: {where}byte {offset + error.start} (0x{found}) is not {options.encoding}. "
            "Give --encoding (cp1252 is common), or --encoding-errors replace to go on and count."
        ) from None


def _refuse_binary(raw: bytes, file: SourceFile, options: ReadingOptions) -> None:
    if options.encoding.lower().startswith(("utf-16", "utf16", "utf-32", "utf32")):
        return
    position = raw.find(b"\x00")
    if position >= 0:
        raise DataError(
            f"{file.path}: byte {position} is NUL: this is a binary file, or text in UTF-16 "
            "(then give --encoding utf-16)"
        )


def _read_txt(file: SourceFile, stream: BinaryIO, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    raw = b"".join(_blocks(file.path, stream))
    _refuse_binary(raw, file, options)
    text = _decode(raw, 0, file, options, notes, "")
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if not any(lines):
        raise DataError(f"{file.path}: the file holds nothing but white space")
    form = options.documents
    if form == "auto":
        form, why = detect_documents(lines)
        notes.detected.append(f"{file.name}: {why}")
    if form == "line":
        for number, line in enumerate(line for line in lines if line):
            yield Document(f"{file.name}#{number}", (line,))
    elif form == "blank-line":
        blocks = blocks_of(lines)
        sentences = ends_sentences(blocks)
        for number, block in enumerate(blocks):
            paragraphs = tuple(block) if sentences else (" ".join(block),)
            yield Document(f"{file.name}#{number}", paragraphs, lines_are_sentences=sentences)
    else:
        yield Document(f"{file.name}#0", paragraphs_of("\n".join(lines)))


def detect_documents(lines: list[str]) -> tuple[Literal["file", "blank-line"], str]:
    """What a document of a text file is, and why.

    A blank line ends a document only where blocks hold several lines and at least 80% of the lines end in
    sentence-final punctuation (the form of google-research/bert). Elsewhere it parts the paragraphs of one document.
    """
    blocks = blocks_of(lines)
    if len(blocks) < 2:
        return "file", "no blank lines: one document, its lines are paragraphs"
    total = sum(len(block) for block in blocks)
    several = sum(len(block) > 1 for block in blocks) * 2 >= len(blocks)
    if several and ends_sentences(blocks):
        return (
            "blank-line",
            f"{total} lines of one sentence each, blank lines between {len(blocks)} documents "
            "(--documents file reads them as one)",
        )
    if all(len(block) == 1 for block in blocks):
        return "file", f"one document, its {len(blocks)} paragraphs a line each"
    return (
        "file",
        f"one document of {len(blocks)} paragraphs, wrapped lines joined (--documents changes this)",
    )


def ends_sentences(blocks: list[list[str]]) -> bool:
    """Whether at least 80% of the lines end in sentence-final punctuation."""
    lines = [line for block in blocks for line in block]
    return sum(line.endswith(SENTENCE_END) for line in lines) >= DETECT_SHARE * len(lines)


def _read_jsonl(file: SourceFile, stream: BinaryIO, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    offset, number = 0, 0
    for line_number, raw in enumerate(_lines(file.path, stream), start=1):
        _refuse_binary(raw, file, options)
        text = _decode(raw, offset, file, options, notes, f"line {line_number}, ")
        offset += len(raw) + 1
        if not text.strip():
            continue
        record = _record(text, file, line_number)
        value = record[_text_key(record, options.text_column, file, line_number)]
        if not isinstance(value, str):
            raise DataError(
                f"{file.path}: line {line_number}: the text is {type(value).__name__}, expected a JSON string"
            )
        identifier = record.get("id")
        yield Document(
            str(identifier) if isinstance(identifier, (str, int)) else f"{file.name}#{number}",
            paragraphs_of(value),
        )
        number += 1
    if number == 0:
        raise DataError(f"{file.path}: no JSON line in this file")


def _record(text: str, file: SourceFile, line_number: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        start = text.strip()[:40]
        raise DataError(
            f"{file.path}: line {line_number}: not JSON ({error.msg} at column {error.colno}); "
            f"the line begins with {start!r}"
        ) from None
    if not isinstance(record, dict):
        raise DataError(
            f"{file.path}: line {line_number}: found {type(record).__name__}, expected an object such as "
            '{"text": "..."}'
        )
    return record


def _text_key(record: dict[str, Any], asked: str | None, file: SourceFile, line_number: int) -> str:
    for key in (asked,) if asked is not None else TEXT_KEYS:
        if key in record:
            return str(key)
    wanted = f"{asked!r}" if asked is not None else f"any of {', '.join(TEXT_KEYS)}"
    raise DataError(
        f"{file.path}: line {line_number}: no key {wanted}; the keys there are {', '.join(map(repr, record))}. "
        "Name the one that holds the text with --text-column."
    )

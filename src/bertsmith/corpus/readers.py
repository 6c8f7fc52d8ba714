"""Readers: files to documents.

`.txt` is one document or many (`--documents`), `.jsonl` has one a line; both may be compressed (`.gz`, `.zst`).
Compressed files and JSON lines are streamed; a plain text is read whole, because what a document is shows only in
the whole file. Bytes that are not in the encoding stop the work with their offset, or are replaced and counted.
"""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
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
SENTENCE_END = (".", "!", "?", "…", "。", "．", "！", "？", "।", "؟")
CLOSING = "\"'”’»›)]）」』】"
"""What may stand between the end of a sentence and the end of its line."""
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
    return _unique_names(found)


def _unique_names(files: dict[Path, SourceFile]) -> list[SourceFile]:
    """A file whose name an earlier one has takes as many of its folders into its name as tell it apart."""
    taken: set[str] = set()
    unique = []
    for resolved, file in files.items():
        name, depth = _readable(file.name), file.name.count("/") + 1
        while name in taken and depth < len(resolved.parts):
            depth += 1
            name = _readable("/".join(resolved.parts[-depth:]))
        taken.add(name)
        unique.append(SourceFile(file.path, name))
    return unique


def _readable(text: str) -> str:
    """A text that every file takes: what UTF-8 cannot hold (lone surrogates) is written as an escape."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _matches(pattern: str) -> list[str]:
    return sorted(glob(pattern, recursive=True))  # noqa: PTH207 (pathlib takes no absolute patterns)


def _form(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
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
    with raw:
        for document in read(file, _blocks(file.path, raw), options, notes):
            notes.position = raw.tell()
            yield document


def _blocks(path: Path, raw: BinaryIO) -> Iterator[bytes]:
    """The file's bytes, unpacked, in pieces. Raises DataError where the file is cut off or damaged."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".zst":
            yield from _unpacked_zstd(raw)
            return
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if suffix == ".gz" else raw
        while piece := stream.read(1 << 20):
            yield piece
    except (EOFError, zlib.error, zstandard.ZstdError, OSError) as error:
        raise DataError(f"{path}: cannot be read to its end: {error}. Is the file cut off or damaged?") from None


def _unpacked_zstd(raw: BinaryIO) -> Iterator[bytes]:
    """All frames of a zstd file. `stream_reader` would take the end of a file that is cut off for the end of its text.

    Pieces of 16 KB, because each is unpacked whole.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
    frame: Any = None
    while packed := raw.read(1 << 14):
        while packed:
            frame = frame or decompressor.decompressobj()
            if piece := frame.decompress(packed):
                yield piece
            packed = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame is not None:
        raise EOFError("the last frame has no end")


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream, split at \\n alone."""
    waiting: list[bytes] = []
    for block in blocks:
        *lines, rest = block.split(b"\n")
        if lines:
            yield b"".join((*waiting, lines[0]))
            yield from lines[1:]
            waiting = []
        waiting.append(rest)
    if rest := b"".join(waiting):
        yield rest


def _decode(raw: bytes, offset: int, file: SourceFile, options: ReadingOptions, notes: ReadingNotes, where: str) -> str:
    start = len(codecs.BOM_UTF8) if _codec(options) == "utf-8" and offset == 0 and _has_mark(raw) else 0
    text = raw[start:] if start else raw
    try:
        return text.decode(options.encoding).removeprefix("\ufeff" if offset == 0 else "")
    except UnicodeDecodeError as error:
        if options.encoding_errors == "replace":
            return _decode_and_count(text, options.encoding, notes)
        found = text[error.start : error.start + 1].hex()
        raise DataError(
            f"{file.path}: {where}byte {offset + start + error.start} (0x{found}) is not {options.encoding}. "
            "Give --encoding (cp1252 is common), or --encoding-errors replace to go on and count."
        ) from None


def _has_mark(raw: bytes) -> bool:
    return raw.startswith(codecs.BOM_UTF8)


def _decode_and_count(raw: bytes, encoding: str, notes: ReadingNotes) -> str:
    def replace(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        notes.replaced_bytes += error.end - error.start
        return "\ufffd", error.end

    codecs.register_error("bertsmith-replace", replace)
    return raw.decode(encoding, errors="bertsmith-replace")


def _codec(options: ReadingOptions) -> str:
    """The encoding by Python's own name for it: UTF8, utf_8 and U8 are utf-8."""
    return codecs.lookup(options.encoding).name


def _is_wide(options: ReadingOptions) -> bool:
    """Whether a character has several bytes of which some may be NUL or \\n."""
    return _codec(options).startswith(("utf-16", "utf-32"))


def _refuse_binary(raw: bytes, offset: int, file: SourceFile, options: ReadingOptions) -> None:
    position = raw.find(b"\x00")
    if position >= 0 and not _is_wide(options):
        raise DataError(
            f"{file.path}: byte {offset + position} is NUL: this is a binary file, or text in UTF-16 "
            "(then give --encoding utf-16)"
        )


def _read_txt(
    file: SourceFile, blocks: Iterator[bytes], options: ReadingOptions, notes: ReadingNotes
) -> Iterator[Document]:
    raw = b"".join(blocks)
    _refuse_binary(raw, 0, file, options)
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
        parts = blocks_of(lines)
        sentences = ends_sentences(parts)
        for number, block in enumerate(parts):
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
    return sum(line.rstrip(CLOSING).endswith(SENTENCE_END) for line in lines) >= DETECT_SHARE * len(lines)


def _text_lines(
    file: SourceFile, blocks: Iterator[bytes], options: ReadingOptions, notes: ReadingNotes
) -> Iterator[str]:
    if _is_wide(options):
        yield from _decode(b"".join(blocks), 0, file, options, notes, "").split("\n")
        return
    offset = 0
    for number, raw in enumerate(_lines(blocks), start=1):
        _refuse_binary(raw, offset, file, options)
        yield _decode(raw, offset, file, options, notes, f"line {number}, ")
        offset += len(raw) + 1


def _read_jsonl(
    file: SourceFile, blocks: Iterator[bytes], options: ReadingOptions, notes: ReadingNotes
) -> Iterator[Document]:
    number = 0
    for line_number, text in enumerate(_text_lines(file, blocks, options, notes), start=1):
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
            _readable(str(identifier)) if isinstance(identifier, (str, int)) else f"{file.name}#{number}",
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
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise DataError(f"{file.path}: line {line_number}: JSON that cannot be read: {error}") from None
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

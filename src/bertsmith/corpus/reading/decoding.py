"""Bytes to text: in pieces, in any encoding Python knows, with the place of what is not in the encoding.

A byte order mark of UTF-8, UTF-16 or UTF-32 decides the encoding, because no other text begins so. A file with many
NULs in its first 64 KiB is refused as binary. A few are read; cleaning removes them.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.corpus.reading.unpacking import decompress, open_source
from bertsmith.errors import DataError

HEAD_BYTES = 1 << 16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16: it comes first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
NULS = 1 / 1000
"""The share of NULs in the first bytes of a file beyond which it is binary."""


def read_text_buffers(
    file: SourceFile, options: ReadingOptions, notes: ReadingNotes, *, name_lines: bool = True
) -> Iterator[str]:
    """The file's text in pieces, without a byte order mark. A piece may end anywhere in a line.

    `name_lines`: errors name the line besides the byte.
    """
    with open_source(file) as raw:
        blocks = decompress(file, raw, notes)
        head = read_head(blocks)
        options = options_by_byte_order_mark(file, head, options=options, notes=notes)
        refuse_binary(file.location, head, options.encoding)
        yield from decode_stream(file, chain((head,), blocks), options, notes=notes, name_lines=name_lines)


def read_head(blocks: Iterator[bytes]) -> bytes:
    """The first bytes, at least `HEAD_BYTES` of them unless the file is shorter; the iterator continues after them."""
    first: list[bytes] = []
    size = 0
    while size < HEAD_BYTES and (block := next(blocks, None)) is not None:
        first.append(block)
        size += len(block)
    return b"".join(first)


def options_by_byte_order_mark(
    file: SourceFile, head: bytes, *, options: ReadingOptions, notes: ReadingNotes
) -> ReadingOptions:
    """The options with the encoding that the first bytes of the file decide, which is noted if it is another one."""
    encoding, reason = decided_encoding(head, options.encoding)
    if reason is not None:
        notes.detected.append(f"{file.name}: {reason}")
    return replace(options, encoding=encoding)


def decided_encoding(head: bytes, encoding: str) -> tuple[str, str | None]:
    """The encoding of a file by its first bytes and the given one, and what is to be said if they differ.

    A byte order mark decides; a name that fits it stays as given, as it may be more exact (`utf-16-le`). UTF-16 and
    UTF-32 without a mark have the order in which their NULs are, the little end first if they have none.
    """
    mark, named = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", None))
    if named is not None:
        if _family(encoding) == named and mark.decode(encoding, "replace") in ("", "\ufeff"):
            return encoding, None
        return named, f"read as {named}, by its byte order mark"
    name = codecs.lookup(encoding).name
    if name not in ("utf-16", "utf-32"):
        return encoding, None
    width, head = 2 if name == "utf-16" else 4, head[:HEAD_BYTES]
    if head[::width].count(0) <= head[width - 1 :: width].count(0):
        return f"{name}-le", None
    return f"{name}-be", f"read as {name}-be: it has no byte order mark, and its zero bytes come first"


def refuse_binary(where: str, head: bytes, encoding: str) -> None:
    """Raises DataError with the offset of the first NUL if there are too many in the head of a file."""
    start = head[:HEAD_BYTES]
    if start.count(0) > NULS * len(start) and not _is_wide(encoding):
        first = start.find(0)
        raise DataError(
            f"{where}: byte {first} is NUL: this is a binary file, or text in UTF-16 "
            f"(then give --encoding {'utf-16-le' if first % 2 else 'utf-16-be'})"
        )


def decode_stream(
    file: SourceFile, blocks: Iterable[bytes], options: ReadingOptions, *, notes: ReadingNotes, name_lines: bool
) -> Iterator[str]:
    """The text of pieces of bytes. All that stands before a byte that cannot be decoded comes before its error."""
    replace = options.encoding_errors == "replace"
    decoder = codecs.getincrementaldecoder(options.encoding)("bertsmith-replace" if replace else "strict")
    at_start, offset, line = True, 0, 1
    for block in chain(blocks, (None,)):
        waiting, state = decoder.getstate()
        if replace:
            _count_replaced(notes)
        raw = block if block is not None else b""
        failed: UnicodeDecodeError | None = None
        try:
            text = decoder.decode(raw, final=block is None)
        except UnicodeDecodeError as error:
            failed = error
            decoder.setstate((waiting, state))
            text = decoder.decode(raw[: max(error.start - len(waiting), 0)])
        if at_start and text:
            text, at_start = text.removeprefix("\ufeff"), False
        if text:
            yield text
        if failed is not None:
            place = f"line {line + text.count(chr(10))}, " if name_lines else ""
            raise DataError(
                f"{file.location}: {place}byte {offset - len(waiting) + failed.start} "
                f"(0x{failed.object[failed.start]:02x}) is not {options.encoding}. "
                "Give --encoding (cp1252 is common), or --encoding-errors replace to go on and count."
            )
        line += text.count("\n") if name_lines else 0
        offset += len(raw)


def _count_replaced(notes: ReadingNotes) -> None:
    """Let U+FFFD stand for what cannot be decoded, and count its bytes in these notes."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        notes.replaced_bytes += error.end - error.start
        return "\ufffd", error.end

    codecs.register_error("bertsmith-replace", replace)


def _is_wide(encoding: str) -> bool:
    """Whether a character has several bytes of which some may be NUL."""
    return _family(encoding) in ("utf-16", "utf-32")


def _family(encoding: str) -> str:
    """The name of an encoding without the order of its bytes: `utf-16` of `utf-16-le`."""
    name = codecs.lookup(encoding).name
    return next((family for family in ("utf-8", "utf-16", "utf-32") if name.startswith(family)), name)


def split_lines(buffers: Iterable[str]) -> Iterator[str]:
    """The lines of a text, split at \\n alone and without it. A text that ends in \\n has no line behind it."""
    waiting: list[str] = []
    for buffer in buffers:
        *lines, rest = buffer.split("\n")
        if lines:
            yield "".join((*waiting, lines[0]))
            yield from lines[1:]
            waiting = []
        waiting.append(rest)
    if rest := "".join(waiting):
        yield rest


def lines_with_ends(buffers: Iterable[str]) -> Iterator[str]:
    """The lines of a text with their ends: \\n, \\r\\n or \\r, also mixed."""
    waiting: list[str] = []
    held = ""  # a \r at the end of a piece: \n may follow
    for buffer in buffers:
        text = held + buffer
        held = "\r" if text.endswith("\r") else ""
        for line in io.StringIO(text.removesuffix("\r"), newline=""):
            if line.endswith(("\n", "\r")):
                yield "".join((*waiting, line))
                waiting = []
            else:
                waiting.append(line)
    if rest := "".join((*waiting, held)):
        yield rest


def plain_lines(buffers: Iterable[str]) -> Iterator[str]:
    """The lines of a text, split at \\n, \\r\\n or \\r, also mixed, without white space at their start and end."""
    return chain.from_iterable(_plain_lines(buffers))


def _plain_lines(buffers: Iterable[str]) -> Iterator[Iterable[str]]:
    """The same, those of a piece at once."""
    waiting: list[str] = []
    held = ""  # a \r at the end of a piece: \n may follow
    for buffer in buffers:
        text = held + buffer
        held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        waiting.append(lines[0])
        if len(lines) > 1:
            lines[0] = "".join(waiting)
            waiting = [lines.pop()]
            yield map(str.strip, lines)
    if (rest := "".join(waiting)) or held:
        yield (rest.strip(),)

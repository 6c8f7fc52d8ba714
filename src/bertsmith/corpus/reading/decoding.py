"""Decode bytes to text in buffers, in any encoding that Python knows; errors name the position of invalid bytes.

A byte order mark of UTF-8, UTF-16 or UTF-32 determines the encoding, because no other text begins with one. A file with
many NUL bytes in its first 64 KiB is rejected as binary; a few are accepted, and cleaning removes them.
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
    (codecs.BOM_UTF32_LE, "utf-32"),  # first, because it begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
NULS = 1 / 1000
"""Share of NUL bytes at the start of a file above which the file counts as binary."""


def read_text_buffers(
    file: SourceFile, options: ReadingOptions, notes: ReadingNotes, *, name_lines: bool = True
) -> Iterator[str]:
    """Yield the text of a file in buffers, without a byte order mark. A buffer can end in the middle of a line.

    With `name_lines`, errors name the line as well as the byte.
    """
    with open_source(file) as raw:
        blocks = decompress(file, raw, notes)
        head = read_head(blocks)
        options = options_by_byte_order_mark(file, head, options=options, notes=notes)
        refuse_binary(file.location, head, options.encoding)
        yield from decode_stream(file, chain((head,), blocks), options, notes=notes, name_lines=name_lines)


def read_head(blocks: Iterator[bytes]) -> bytes:
    """Return the first bytes, at least `HEAD_BYTES` unless the file is shorter; the iterator continues after them."""
    first: list[bytes] = []
    size = 0
    while size < HEAD_BYTES and (block := next(blocks, None)) is not None:
        first.append(block)
        size += len(block)
    return b"".join(first)


def options_by_byte_order_mark(
    file: SourceFile, head: bytes, *, options: ReadingOptions, notes: ReadingNotes
) -> ReadingOptions:
    """Return the options with the encoding that the first bytes determine; note it if it differs."""
    encoding, reason = decided_encoding(head, options.encoding)
    if reason is not None:
        notes.detected.append(f"{file.name}: {reason}")
    return replace(options, encoding=encoding)


def decided_encoding(head: bytes, encoding: str) -> tuple[str, str | None]:
    """Return the encoding of a file, and a note if its first bytes overrule the given encoding.

    A byte order mark decides; a matching given name is kept, as it may be more precise (`utf-16-le`). For UTF-16 and
    UTF-32 without a mark, the positions of NUL bytes show the byte order; without NUL bytes it is little-endian.
    """
    mark, named = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", None))
    if named is not None:
        if _family(encoding) == named and mark.decode(encoding, "replace") in ("", "\ufeff"):
            return encoding, None
        return named, f"read as {named} because of its byte order mark"
    name = codecs.lookup(encoding).name
    if name not in ("utf-16", "utf-32"):
        return encoding, None
    width, head = 2 if name == "utf-16" else 4, head[:HEAD_BYTES]
    if head[::width].count(0) <= head[width - 1 :: width].count(0):
        return f"{name}-le", None
    return f"{name}-be", f"read as {name}-be: no byte order mark, and zero bytes come first"


def refuse_binary(where: str, head: bytes, encoding: str) -> None:
    """Raise DataError with the offset of the first NUL byte if the start of a file has too many."""
    start = head[:HEAD_BYTES]
    if start.count(0) > NULS * len(start) and not _is_wide(encoding):
        first = start.find(0)
        raise DataError(
            f"{where}: byte {first} is NUL, so this is a binary file or text in UTF-16. "
            f"Try: --encoding {'utf-16-le' if first % 2 else 'utf-16-be'} if it is UTF-16"
        )


def decode_stream(
    file: SourceFile, blocks: Iterable[bytes], options: ReadingOptions, *, notes: ReadingNotes, name_lines: bool
) -> Iterator[str]:
    """Yield the decoded text of byte buffers. The text before an invalid byte is yielded before its error is raised."""
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
            position = f"line {line + text.count(chr(10))}, " if name_lines else ""
            raise DataError(
                f"{file.location}: {position}byte {offset - len(waiting) + failed.start} "
                f"(0x{failed.object[failed.start]:02x}) is not {options.encoding}. "
                "Try: --encoding (windows-1252 is common), or --encoding-errors replace to count and replace such bytes"
            )
        line += text.count("\n") if name_lines else 0
        offset += len(raw)


def _count_replaced(notes: ReadingNotes) -> None:
    """Replace bytes that cannot be decoded by U+FFFD, and count them in these notes."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        notes.replaced_bytes += error.end - error.start
        return "\ufffd", error.end

    codecs.register_error("bertsmith-replace", replace)


def _is_wide(encoding: str) -> bool:
    """Return whether the encoding is UTF-16 or UTF-32, whose characters can contain NUL bytes."""
    return _family(encoding) in ("utf-16", "utf-32")


def _family(encoding: str) -> str:
    """Return the name of an encoding without its byte order: `utf-16` for `utf-16-le`."""
    name = codecs.lookup(encoding).name
    return next((family for family in ("utf-8", "utf-16", "utf-32") if name.startswith(family)), name)


def split_lines(buffers: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text, split only at \\n and without it. A final \\n does not start another line."""
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
    """Yield the lines of a text with their ends: \\n, \\r\\n or \\r, also mixed."""
    waiting: list[str] = []
    held = ""  # a \r at the end of a buffer: \n may follow
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
    """Return the lines of a text, split at \\n, \\r\\n or \\r (also mixed), without white space at either end."""
    return chain.from_iterable(_plain_lines(buffers))


def _plain_lines(buffers: Iterable[str]) -> Iterator[Iterable[str]]:
    """Yield the lines of `plain_lines`, one batch per buffer."""
    waiting: list[str] = []
    held = ""  # a \r at the end of a buffer: \n may follow
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

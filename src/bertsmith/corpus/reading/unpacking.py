"""Open files on disk or at a URL, and decompress them while reading.

Compressed files are streamed: memory holds one buffer, whatever the size of the file.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from bertsmith.corpus.reading.options import ReadingNotes
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.errors import DataError

BUFFER_BYTES = 1 << 20
COMPRESSED_BUFFER_BYTES = 1 << 14
"""Bytes of a compressed file that are decompressed at once; small, because the whole result is in memory."""
DAMAGE_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""Errors raised by reading a truncated or damaged file, or a failing disk."""


@contextmanager
def open_source(file: SourceFile) -> Iterator[BinaryIO]:
    """Open the raw bytes of a file on disk or at a URL. Raises DataError if it cannot be opened."""
    with ExitStack() as stack:
        try:
            if file.is_address:
                raw = stack.enter_context(_at_address(file.location, stack))
            else:
                raw = stack.enter_context(Path(file.location).open("rb"))
        except OSError as error:
            raise DataError(f"{file.location}: cannot be opened: {error.strerror or error}") from None
        yield raw


def _at_address(location: str, stack: ExitStack) -> BinaryIO:
    import fsspec

    try:
        system, path = fsspec.url_to_fs(location)
        stack.callback(lambda: system)  # an archive closes when its file system is garbage-collected
        return cast(BinaryIO, system.open(path, "rb"))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 (every file system raises different exceptions)
        raise DataError(f"{location}: cannot be opened: {error}") from None


def decompress(file: SourceFile, raw: BinaryIO, notes: ReadingNotes) -> Iterator[bytes]:
    """Yield the bytes of a file in buffers, decompressed; keep `notes.position` up to date.

    Raises DataError if the file is truncated or damaged.
    """
    try:
        for buffer in _buffers(file.compression, raw):
            notes.position = raw.tell()
            yield buffer
    except DAMAGE_ERRORS as error:
        raise damaged_file_error(file, error) from None


def damaged_file_error(file: SourceFile, error: BaseException) -> DataError:
    """Return the error for a file that cannot be read to its end."""
    reason = str(error).rstrip(".")
    return DataError(f"{file.location}: cannot be read to its end: {reason}. Is the file truncated or damaged?")


def _buffers(compression: str, raw: BinaryIO) -> Iterator[bytes]:
    if compression == ".zst":
        return _frames(raw, zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj)
    if compression == ".xz":
        return _frames(raw, lzma.LZMADecompressor)
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if compression == ".gz" else raw
    return iter(lambda: stream.read(BUFFER_BYTES), b"")


def _frames(raw: BinaryIO, decompressor: Callable[[], Any]) -> Iterator[bytes]:
    """Decompress all frames of a .zst or all streams of an .xz. Raises EOFError if the last one is incomplete.

    The readers of both libraries would accept a truncated file, or ignore garbage after a frame.
    """
    frame: Any = None
    while packed := raw.read(COMPRESSED_BUFFER_BYTES):
        while packed:
            frame = frame or decompressor()
            if buffer := frame.decompress(packed):
                yield buffer
            packed = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame is not None:
        raise EOFError("the last frame has no end")

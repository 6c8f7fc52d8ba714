"""Files to bytes: opened here or at an address, unpacked as they are read.

Compressed files are streamed: memory holds one piece, whatever the size of the file.
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
"""Bytes of a packed file that are unpacked at once; a small piece, because what comes out is held whole."""
DAMAGE_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What reading a file raises that is cut off, damaged, or on a disk that fails."""


@contextmanager
def open_source(file: SourceFile) -> Iterator[BinaryIO]:
    """The file's bytes as they lie on the disk or at the address. Raises DataError where it cannot be opened."""
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
        stack.callback(lambda: system)  # an archive is closed when its file system is forgotten
        return cast(BinaryIO, system.open(path, "rb"))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 (each file system has exceptions of its own)
        raise DataError(f"{location}: cannot be opened: {error}") from None


def decompress(file: SourceFile, raw: BinaryIO, notes: ReadingNotes) -> Iterator[bytes]:
    """The file's bytes in pieces, unpacked; `notes.position` follows.

    Raises DataError where the file is cut off or damaged.
    """
    try:
        for buffer in _buffers(file.compression, raw):
            notes.position = raw.tell()
            yield buffer
    except DAMAGE_ERRORS as error:
        raise damaged_file_error(file, error) from None


def damaged_file_error(file: SourceFile, error: BaseException) -> DataError:
    """The error for a file that cannot be read to its end."""
    reason = str(error).rstrip(".")
    return DataError(f"{file.location}: cannot be read to its end: {reason}. Is the file cut off or damaged?")


def _buffers(compression: str, raw: BinaryIO) -> Iterator[bytes]:
    if compression == ".zst":
        return _frames(raw, zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj)
    if compression == ".xz":
        return _frames(raw, lzma.LZMADecompressor)
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if compression == ".gz" else raw
    return iter(lambda: stream.read(BUFFER_BYTES), b"")


def _frames(raw: BinaryIO, decompressor: Callable[[], Any]) -> Iterator[bytes]:
    """All frames of a .zst, all streams of an .xz. Raises EOFError where the last one has no end.

    The readers of both libraries would take the end of a file that is cut off, or what follows a frame and is none,
    for the end of the text.
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

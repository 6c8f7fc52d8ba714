"""Reading sources, and packing what is read, for all tests of reading."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading import ReadingNotes, ReadingOptions, find_files, read_documents

Noted = tuple[list[Document], ReadingNotes]


def _read_noting(*sources: Path | str, **options: Any) -> Noted:
    notes = ReadingNotes()
    asked = ReadingOptions(**options)
    documents = [
        document for file in find_files(tuple(map(str, sources))) for document in read_documents(file, asked, notes)
    ]
    return documents, notes


@pytest.fixture(scope="session")
def read_noting() -> Callable[..., Noted]:
    """The documents of sources, read with options, and the notes."""
    return _read_noting


@pytest.fixture(scope="session")
def read() -> Callable[..., list[Document]]:
    """The documents of sources, read with options."""

    def call(*sources: Path | str, **options: Any) -> list[Document]:
        return _read_noting(*sources, **options)[0]

    return call


@pytest.fixture(scope="session")
def packed() -> Callable[[bytes, str], bytes]:
    """Bytes as a file of this ending holds them."""
    # zstd frames carry a checksum only where it is asked for, as the program `zstd` does
    zstd = zstandard.ZstdCompressor(write_checksum=True).compress
    packers: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": gzip.compress,
        ".zst": zstd,
        ".xz": lzma.compress,
    }
    return lambda content, ending: packers[ending](content)

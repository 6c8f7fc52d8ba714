"""Fixtures for reading sources, and for compressing files."""

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
    """Read the documents of sources with options; return them with the notes."""
    return _read_noting


@pytest.fixture(scope="session")
def read() -> Callable[..., list[Document]]:
    """Read the documents of sources with options."""

    def call(*sources: Path | str, **options: Any) -> list[Document]:
        return _read_noting(*sources, **options)[0]

    return call


@pytest.fixture(scope="session")
def packed() -> Callable[[bytes, str], bytes]:
    """Compress bytes as the file extension requires."""
    # zstd frames have a checksum only on request, as the program `zstd` writes them
    zstd = zstandard.ZstdCompressor(write_checksum=True).compress
    packers: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": gzip.compress,
        ".zst": zstd,
        ".xz": lzma.compress,
    }
    return lambda content, ending: packers[ending](content)

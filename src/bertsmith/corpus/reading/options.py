"""Options for reading files, and notes made while reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class ReadingOptions:
    """How to read files; see `config.prepare.SourceOptions`."""

    documents: Literal["auto", "file", "blank-line", "line"] = "auto"
    text_column: str | None = None
    encoding: str = "utf-8"
    encoding_errors: Literal["strict", "replace"] = "strict"
    separator: str | None = None
    """Separator of the fields of a `.csv` or `.tsv`; None detects it from the file extension and the header."""


@dataclass
class ReadingNotes:
    """Detected formats and counts from reading."""

    detected: list[str] = field(default_factory=list)
    replaced_bytes: int = 0
    position: int = 0
    """Bytes of the current file read so far, before decompression; an estimate for Parquet, 0 for `hf:`."""

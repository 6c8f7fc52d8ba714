"""How files are read, and what is noted on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class ReadingOptions:
    """How files are read; see `config.prepare.SourceOptions`."""

    documents: Literal["auto", "file", "blank-line", "line"] = "auto"
    text_column: str | None = None
    encoding: str = "utf-8"
    encoding_errors: Literal["strict", "replace"] = "strict"
    separator: str | None = None
    """What separates the fields of a `.csv` or `.tsv`; None: by the ending and the header."""


@dataclass
class ReadingNotes:
    """What was detected and counted while reading."""

    detected: list[str] = field(default_factory=list)
    replaced_bytes: int = 0
    position: int = 0
    """Bytes read so far of the present file, as it lies on the disk; an estimate in a parquet file, 0 in `hf:`."""

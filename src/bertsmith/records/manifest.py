"""manifest.json of a STORE: how it was prepared, what it contains, and the checksum of each file.

It is written last: a folder with a manifest is a finished STORE. Every field has a default, so that the manifest of an
older version, which lacks some figures, can still be read and reported.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bertsmith.records.base import Part, Record
from bertsmith.runtime.machine import AutomaticChoice

MANIFEST = "manifest.json"
FORMAT = 2
"""The format of the Arrow files."""
VERSION = 1


class StoreOptions(Part):
    """The options of `prepare` that determine the STORE, and checksums of the files that they name."""

    sources: list[str] = Field(default_factory=list)
    documents: str | None = None
    text_column: str | None = None
    separator: str | None = None
    encoding: str | None = None
    encoding_errors: str | None = None
    max_documents: int | None = None
    language: str | None = None
    clean: str | None = None
    min_words: int | None = None
    near_duplicates: float | None = None
    keep_dropped: bool | None = None
    vocab_size: int | None = None
    tokenizer: str | None = None
    add_words: int | None = None
    cased: bool | None = None
    accents: str = "auto"
    held_out: str | None = None
    seed: int | None = None
    held_out_sha256: str | None = None
    """Checksum of the file given by --held-out."""
    files_sha256: str | None = None
    """Checksum of the names, locations, sizes and times of all files."""


class Outcome(Part):
    """The result of `prepare`, without the path of the STORE."""

    documents_in: int = 0
    documents_kept: int = 0
    dropped: dict[str, int] = Field(default_factory=dict)
    dropped_paragraphs: dict[str, int] = Field(default_factory=dict)
    held_out_documents: int | None = None
    sentences: int | None = None
    tokens: int = 0
    vocab_size: int = 0
    tokenizer_sha256: str = ""
    stages: dict[str, float] = Field(default_factory=dict)
    seconds: float | None = None
    added_words: int = 0
    model: str | None = None


class PartCounts(Part):
    """Sizes of one part; `documents` counts rows, which are fragments of documents."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0

    def __add__(self, other: PartCounts) -> PartCounts:
        return PartCounts(
            documents=self.documents + other.documents,
            sentences=self.sentences + other.sentences,
            tokens=self.tokens + other.tokens,
        )


class Parts(Part):
    """Sizes of both parts."""

    train: PartCounts = Field(default_factory=PartCounts)
    held_out: PartCounts = Field(default_factory=PartCounts)


class HeldOut(Part):
    """How the held-out part was chosen: by documents, ids or paragraphs."""

    by: str = ""
    reason: str = ""


class Cleaning(Part):
    """Counts from cleaning, by reason and by step; see `corpus.cleaning.CleaningCounts`."""

    paragraphs_dropped: dict[str, int] = Field(default_factory=dict)
    characters_dropped: dict[str, int] = Field(default_factory=dict)
    paragraphs_repaired: dict[str, int] = Field(default_factory=dict)
    characters_removed: dict[str, int] = Field(default_factory=dict)


class DuplicateGroup(Part):
    """Documents that count as copies: the kept id, the first dropped ids, and the size of the whole group."""

    kind: str = ""
    similarity: float | None = None
    kept: str = ""
    dropped: list[str] = Field(default_factory=list)
    size: int | None = None


Lengths = dict[Annotated[str, Field(pattern=r"^\d+$")], int]
"""Number of texts per length class."""


class Statistics(Part):
    """Figures for the report. Lengths are counted in classes that double (`corpus.statistics`)."""

    document_characters: Lengths = Field(default_factory=dict)
    languages: dict[str, int] = Field(default_factory=dict)
    sentence_tokens: Lengths = Field(default_factory=dict)
    vocabulary_used: int | None = None
    unknown_rate: float | None = None
    frequent_words: dict[str, int] = Field(default_factory=dict)


class FileFacts(Part):
    """The size and checksum of a file."""

    bytes: int = 0
    sha256: str = ""


class Manifest(Record):
    """manifest.json."""

    advice = "Try: prepare the STORE again, with --overwrite"

    format: int | None = None
    options: StoreOptions = Field(default_factory=StoreOptions)
    choices: list[AutomaticChoice] = Field(default_factory=list)
    result: Outcome = Field(default_factory=Outcome)
    parts: Parts = Field(default_factory=Parts)
    held_out: HeldOut = Field(default_factory=HeldOut)
    detected: list[str] = Field(default_factory=list)
    characters: int | None = None
    replaced_bytes: int = 0
    cleaning: Cleaning | None = None
    duplicates: list[DuplicateGroup] = Field(default_factory=list)
    statistics: Statistics = Field(default_factory=Statistics)
    versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, FileFacts] = Field(default_factory=dict)

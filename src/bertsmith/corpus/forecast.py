"""What a preparation will take, from a sample: documents, bytes, tokens, time, memory and disk."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.verb import Result
from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.cleaning import CleaningCounts, clean_document
from bertsmith.corpus.document import Document
from bertsmith.corpus.fingerprints import signatures, words_of_chunks
from bertsmith.corpus.plan import Plan, block_characters
from bertsmith.corpus.reading import ReadingNotes, SourceFile, read_documents
from bertsmith.corpus.sentences import split_sentences
from bertsmith.errors import ResourceError
from bertsmith.runtime.console import format_bytes, log_info
from bertsmith.runtime.files import free_bytes

SAMPLE_FILES = 12
SAMPLE_CHARACTERS = 12_000_000

TOKENS_A_WORD = 1.3
"""Of the words between white space: punctuation is a token of its own, and rare words are several."""
ENCODING_SHARE = 0.35
"""What counting and encoding add to the time of reading and cleaning."""
DISK_A_BYTE = 1.9
"""The work folder at its largest, STORE included, for each byte of text."""
MEMORY_BASE, MEMORY_A_WORKER, MEMORY_A_CHARACTER = 500e6, 250e6, 18
UNPACKED = {"": 1.0, ".gz": 4.0, ".xz": 6.0, ".zst": 5.0}
"""Bytes of text for a byte on the disk, at most as good as always."""


@dataclass(frozen=True)
class Forecast(Result):
    """What a preparation will take; everything but `files` and `free_bytes` is an estimate from a sample."""

    store: Path
    files: int
    documents: int
    text_bytes: int
    tokens: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    store_bytes: int
    free_bytes: int
    fits: bool


def has_ample_space(plan: Plan, free: int) -> bool:
    """Whether the disk has room even if every file unpacks to several times its size."""
    if any(file.size is None for file in plan.files):
        return False
    most = sum((file.size or 0) * UNPACKED[file.compression] for file in plan.files)
    return most * (4 if any(file.form == ".parquet" for file in plan.files) else 1) * DISK_A_BYTE < free


def check_disk_space(plan: Plan, workers: int, out: Path) -> None:
    """Raise ResourceError if the disk would fill; a sample is read only if that is possible at all."""
    free = free_bytes(out)
    if has_ample_space(plan, free):
        return
    expected = forecast(plan, workers, out)
    if expected.disk_bytes > free:
        raise ResourceError(
            f"{out}: the disk would fill: about {format_bytes(expected.disk_bytes)} are needed while this works "
            f"({format_bytes(expected.store_bytes)} of them stay), {format_bytes(free)} are free there. "
            "Free some space, "
            "choose another --out, or give --max-documents."
        )


def forecast(plan: Plan, workers: int, out: Path) -> Forecast:
    """Read a sample and go through its stages; nothing is written."""
    known = [file for file in plan.files if file.size is not None]
    chosen = plan.files[:: max(1, len(plan.files) // SAMPLE_FILES)][:SAMPLE_FILES]
    started = time.perf_counter()
    documents: list[Document] = []
    packed = 0
    for file in chosen:
        taken, position = _read(plan, file, SAMPLE_CHARACTERS // len(chosen))
        documents += taken
        packed += position
    documents = documents[: plan.max_documents]
    text = sum(len(paragraph.encode("utf-8", "replace")) + 1 for item in documents for paragraph in item.paragraphs)
    if len(known) < len(plan.files):
        log_info("the size of a source is not known: the figures are those of its beginning, at least")
    words = _go_through(plan, documents)
    seconds = time.perf_counter() - started
    whole = sum(file.size or 0 for file in known)
    times = whole / packed if packed and len(known) == len(plan.files) else float(len(plan.files)) / len(chosen)
    times = max(times, 1.0)
    if plan.max_documents is not None:
        times = min(times, plan.max_documents / max(len(documents), 1))
    text_bytes = int(text * times)
    tokens = int(words * times * TOKENS_A_WORD)
    store = int(tokens * 2.3)
    characters = min(block_characters(plan.files), max(text_bytes, 1))
    busy = max(1, min(workers, -(-text_bytes // characters)))
    free = free_bytes(out)
    disk = int(text_bytes * DISK_A_BYTE)
    return Forecast(
        store=out,
        files=len(plan.files),
        documents=round(len(documents) * times),
        text_bytes=text_bytes,
        tokens=tokens,
        seconds=round(seconds * (1 + ENCODING_SHARE) * times / busy + 5, 1),
        memory_bytes=int(MEMORY_BASE + busy * (MEMORY_A_WORKER + MEMORY_A_CHARACTER * characters)),
        disk_bytes=disk,
        store_bytes=store,
        free_bytes=free,
        fits=disk < free,
    )


def _read(plan: Plan, file: SourceFile, characters: int) -> tuple[list[Document], int]:
    """The first documents of a file, and the bytes of it that were read for them."""
    notes = ReadingNotes()
    taken: list[Document] = []
    size = before = position = 0
    for document in read_documents(file, plan.reading, notes):
        if notes.position != position:
            # A reader reads ahead: what was given out so far ends somewhere in the piece before this one.
            if position and size >= characters:
                return taken, (before + position) // 2
            before, position = position, notes.position
        taken.append(document)
        size += sum(map(len, document.paragraphs))
    return taken, file.size or 1


def _go_through(plan: Plan, documents: list[Document]) -> int:
    """Clean, split and hash; returns the number of chunks."""
    counts = CleaningCounts()
    sentences: list[str] = []
    sizes: list[int] = []
    for document in documents:
        cleaned: Any = clean_document(document, plan.cleaning, counts)
        split = split_sentences(cleaned, plan.cleaning.language) if isinstance(cleaned, Document) else []
        sentences += [sentence for paragraph in split for sentence in paragraph]
        sizes.append(sum(map(len, split)))
    if not sentences:
        return 0
    chunks = split_chunks(sentences)
    if plan.fingerprints:
        signatures(*words_of_chunks(chunks.dictionary), codes=chunks.codes, chunks=chunks.lengths)
    return len(chunks.codes)

"""An estimate of what `prepare` needs, from a sample: documents, bytes, tokens, time, memory and disk."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.verb import Result
from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.cleaning import CleaningCounts, clean_document
from bertsmith.corpus.document import Document
from bertsmith.corpus.fingerprints import hash_words_of_chunks, signatures
from bertsmith.corpus.plan import CorpusPlan, block_characters
from bertsmith.corpus.reading import ReadingNotes, SourceFile, read_documents
from bertsmith.corpus.sentences import split_sentences
from bertsmith.errors import ResourceError
from bertsmith.runtime.console import format_bytes, log_info
from bertsmith.runtime.files import free_bytes

SAMPLE_FILES = 12
SAMPLE_CHARACTERS = 12_000_000

TOKENS_PER_WORD = 1.3
"""Words here are separated by white space: punctuation adds tokens, and rare words become several."""
ENCODING_SHARE = 0.35
"""Time for counting and encoding, relative to reading and cleaning."""
DISK_PER_TEXT_BYTE = 1.9
"""Largest size of the work folder, including the STORE, per byte of text."""
MEMORY_BASE, MEMORY_PER_WORKER, MEMORY_PER_CHARACTER = 500e6, 250e6, 18
TEXT_BYTES_PER_FILE_BYTE = {"": 1.0, ".gz": 4.0, ".xz": 6.0, ".zst": 5.0}
"""Bytes of text per byte of file; a practical upper limit."""


@dataclass(frozen=True)
class PreparationEstimate(Result):
    """What `prepare` will need. All figures except `files` and `free_bytes` are estimates from a sample."""

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


def has_ample_space(plan: CorpusPlan, free: int) -> bool:
    """Return whether the disk has room even if every file decompresses to several times its size."""
    if any(file.size is None for file in plan.files):
        return False
    most = sum((file.size or 0) * TEXT_BYTES_PER_FILE_BYTE[file.compression] for file in plan.files)
    return most * (4 if any(file.form == ".parquet" for file in plan.files) else 1) * DISK_PER_TEXT_BYTE < free


def check_disk_space(plan: CorpusPlan, workers: int, out: Path) -> None:
    """Raise ResourceError if the disk would fill up. Samples the text only if that is possible at all."""
    free = free_bytes(out)
    if has_ample_space(plan, free):
        return
    expected = estimate_preparation(plan, workers, out)
    if expected.disk_bytes > free:
        raise ResourceError(
            f"{out}: the disk would fill up: found {format_bytes(free)} free, expected about "
            f"{format_bytes(expected.disk_bytes)} ({format_bytes(expected.store_bytes)} for the finished STORE). "
            "Try: free some space, choose a different --out, or set --max-documents"
        )


def estimate_preparation(plan: CorpusPlan, workers: int, out: Path) -> PreparationEstimate:
    """Process a sample and extrapolate. Writes nothing."""
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
        log_info("the size of a source is unknown, so the estimates from its beginning are lower bounds")
    words = _process_sample(plan, documents)
    seconds = time.perf_counter() - started
    whole = sum(file.size or 0 for file in known)
    times = whole / packed if packed and len(known) == len(plan.files) else float(len(plan.files)) / len(chosen)
    times = max(times, 1.0)
    if plan.max_documents is not None:
        times = min(times, plan.max_documents / max(len(documents), 1))
    text_bytes = int(text * times)
    tokens = int(words * times * TOKENS_PER_WORD)
    store = int(tokens * 2.3)
    characters = min(block_characters(plan.files), max(text_bytes, 1))
    busy = max(1, min(workers, -(-text_bytes // characters)))
    free = free_bytes(out)
    disk = int(text_bytes * DISK_PER_TEXT_BYTE)
    return PreparationEstimate(
        store=out,
        files=len(plan.files),
        documents=round(len(documents) * times),
        text_bytes=text_bytes,
        tokens=tokens,
        seconds=round(seconds * (1 + ENCODING_SHARE) * times / busy + 5, 1),
        memory_bytes=int(MEMORY_BASE + busy * (MEMORY_PER_WORKER + MEMORY_PER_CHARACTER * characters)),
        disk_bytes=disk,
        store_bytes=store,
        free_bytes=free,
        fits=disk < free,
    )


def _read(plan: CorpusPlan, file: SourceFile, characters: int) -> tuple[list[Document], int]:
    """Return the first documents of a file and the number of bytes read for them."""
    notes = ReadingNotes()
    taken: list[Document] = []
    size = before = position = 0
    for document in read_documents(file, plan.reading, notes):
        if notes.position != position:
            # Readers read ahead: the documents so far end somewhere in the previous buffer.
            if position and size >= characters:
                return taken, (before + position) // 2
            before, position = position, notes.position
        taken.append(document)
        size += sum(map(len, document.paragraphs))
    return taken, file.size or 1


def _process_sample(plan: CorpusPlan, documents: list[Document]) -> int:
    """Clean, split and hash the documents; return the number of chunks."""
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
        signatures(*hash_words_of_chunks(chunks.dictionary), codes=chunks.codes, chunks=chunks.lengths)
    return len(chunks.codes)

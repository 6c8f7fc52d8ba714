"""The spool: cleaned, de-duplicated sentences on disk, between reading and tokenizing.

The tokenizer must have seen all of the text before the first sentence is encoded. The text waits in an Arrow file
beside the STORE that is being made, so memory holds a few batches and the hashes of the documents, not the corpus.
Reading and de-duplication go in order in one process; cleaning and sentence splitting go to workers.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from bertsmith.corpus.cleaning import DUPLICATE, EMPTY, clean_document
from bertsmith.corpus.document import Document
from bertsmith.corpus.readers import ReadingNotes, ReadingOptions, SourceFile, read_documents
from bertsmith.corpus.sentences import split_sentences
from bertsmith.errors import ResourceError
from bertsmith.runtime.files import disk_errors, read_json, write_json

SPOOL_FILE, SPOOL_COUNTS = "spool.arrow", "spool.json"
BATCH_CHARACTERS = 1 << 20
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("sentences", pa.list_(pa.string())),
        pa.field("paragraph_lengths", pa.list_(pa.uint32())),
    ]
)
WITHOUT_TOKENS = "no tokens"
"""The reason for which a document is dropped whose characters the tokenizer drops (zero-width spaces and the like)."""


@dataclass(frozen=True)
class SpooledDocument:
    """A document on the spool: its sentences in order, and how many of them each paragraph holds."""

    id: str
    sentences: list[str]
    paragraph_lengths: list[int]


@dataclass(frozen=True)
class _Cleaned:
    id: str
    digest: bytes
    sentences: list[str]
    paragraph_lengths: list[int]


def clean_batch(documents: list[Document], language: str) -> list[_Cleaned | str]:
    """Clean and split documents; a text in the place of a document is the reason for which it is dropped."""
    results: list[_Cleaned | str] = []
    for document in documents:
        cleaned = clean_document(document)
        paragraphs = split_sentences(cleaned, language) if cleaned is not None else []
        if cleaned is None or not paragraphs:
            results.append(EMPTY)
            continue
        digest = hashlib.blake2b("\n".join(cleaned.paragraphs).encode(), digest_size=16).digest()
        sentences = [sentence for paragraph in paragraphs for sentence in paragraph]
        results.append(_Cleaned(document.id, digest, sentences, [len(paragraph) for paragraph in paragraphs]))
    return results


def write_spool(
    folder: Path,
    files: list[SourceFile],
    reading: ReadingOptions,
    *,
    language: str,
    max_documents: int | None,
    workers: int,
    advance: Callable[[float, float], None],
) -> dict[str, Any]:
    """Read, clean, de-duplicate (exact, by document) and split all files; returns what was counted.

    `advance(done, total)` is called in bytes of the files. The counts hold
    `documents_in = documents_kept + sum(dropped.values())`.
    """
    notes = ReadingNotes()
    sizes = [file.path.stat().st_size for file in files]
    total = float(sum(sizes))
    before = 0.0

    def documents() -> Iterator[Document]:
        nonlocal before
        for file, size in zip(files, sizes, strict=True):
            for document in read_documents(file, reading, notes):
                advance(before + notes.position, total)
                yield document
            before += size

    seen: set[bytes] = set()
    dropped: Counter[str] = Counter()
    documents_in = kept = sentences = characters = 0
    path = folder / SPOOL_FILE
    with disk_errors(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, _SCHEMA) as writer:
        batches = _batches(islice(documents(), max_documents))
        for results in _in_order(batches, language, workers):
            fresh: list[_Cleaned] = []
            for result in results:
                documents_in += 1
                if isinstance(result, str):
                    dropped[result] += 1
                elif result.digest in seen:
                    dropped[DUPLICATE] += 1
                else:
                    seen.add(result.digest)
                    fresh.append(result)
            kept += len(fresh)
            sentences += sum(len(document.sentences) for document in fresh)
            characters += sum(len(sentence) for document in fresh for sentence in document.sentences)
            writer.write_batch(
                pa.record_batch(
                    [
                        pa.array([document.id for document in fresh], pa.string()),
                        pa.array([document.sentences for document in fresh], pa.list_(pa.string())),
                        pa.array([document.paragraph_lengths for document in fresh], pa.list_(pa.uint32())),
                    ],
                    schema=_SCHEMA,
                )
            )
    counts = {
        "documents_in": documents_in,
        "documents_kept": kept,
        "dropped": dict(sorted(dropped.items())),
        "sentences": sentences,
        "characters": characters,
        "replaced_bytes": notes.replaced_bytes,
        "detected": notes.detected,
    }
    write_json(folder / SPOOL_COUNTS, counts)
    return counts


def finished_spool(folder: Path) -> dict[str, Any] | None:
    """The counts of a spool that was written to its end, or None."""
    return read_json(folder / SPOOL_COUNTS) if (folder / SPOOL_COUNTS).is_file() else None


def read_spool(folder: Path) -> Iterator[SpooledDocument]:
    """The documents of a spool, in their order."""
    with pa.memory_map(str(folder / SPOOL_FILE)) as source, pa.ipc.open_stream(source) as reader:
        for batch in reader:
            for row in batch.to_pylist():
                yield SpooledDocument(row["id"], row["sentences"], row["paragraph_lengths"])


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += sum(map(len, document.paragraphs))
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _in_order(batches: Iterator[list[Document]], language: str, workers: int) -> Iterator[list[_Cleaned | str]]:
    """The results of `clean_batch` in the order of the batches; a corpus of one batch needs no worker."""
    head = list(islice(batches, 2))
    if workers == 1 or len(head) < 2:
        for batch in head:
            yield clean_batch(batch, language)
        for batch in batches:
            yield clean_batch(batch, language)
        return
    try:
        with worker_pool(workers) as pool:
            waiting: list[Future[list[_Cleaned | str]]] = [pool.submit(clean_batch, batch, language) for batch in head]
            while waiting:
                for batch in islice(batches, 2 * workers - len(waiting)):
                    waiting.append(pool.submit(clean_batch, batch, language))
                yield waiting.pop(0).result()
    except BrokenProcessPool:
        raise ResourceError(
            "a worker process was killed while it cleaned text, most often for want of memory; give a smaller --workers"
        ) from None


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for plain work on text: forked on Linux, where no script then needs a main guard."""
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
        yield stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))

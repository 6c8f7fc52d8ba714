"""From the spool to a STORE: held-out part, tokenizer, ids. `verbs/prepare.py` puts these steps in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.corpus.splitting import (
    MIN_DOCUMENTS,
    MIN_TOKENS,
    Run,
    count_words,
    is_held_out,
    read_ids,
    runs_of_documents,
)
from bertsmith.corpus.spool import SpooledDocument, read_spool
from bertsmith.corpus.store import HELD_OUT, TRAIN, PartWriter, Piece
from bertsmith.errors import DataError
from bertsmith.runtime.files import write_json
from bertsmith.tokenization.encoding import SentenceEncoder
from bertsmith.tokenization.wordpiece import count_chunks, words_of_chunks

SENTENCES_AT_ONCE = 20_000
Advance = Callable[[float, float], None]


@dataclass(frozen=True)
class Division:
    """The held-out part: how each document is divided, and what is to be said of it."""

    by: str
    runs: list[list[Run]]
    reason: str

    @property
    def held_out_documents(self) -> int:
        """Documents of which at least a run is held out."""
        return sum(any(run.held_out for run in runs) for runs in self.runs)


def divide_by_documents(folder: Path, share: float, seed: int) -> Division:
    """Whole documents by a hash of their id."""
    runs = [[Run(0, len(document.sentences), is_held_out(document.id, share, seed))] for document in read_spool(folder)]
    return Division("documents", runs, f"{share:.1%} of the documents by a hash of their id")


def divide_by_ids(folder: Path, path: Path) -> Division:
    """The documents whose ids a file lists. Raises DataError where none of them, or every document, is listed."""
    wanted = read_ids(path)
    found: set[str] = set()
    runs = []
    for document in read_spool(folder):
        held = document.id in wanted
        if held:
            found.add(document.id)
        runs.append([Run(0, len(document.sentences), held)])
    if not found or all(run[0].held_out for run in runs):
        raise DataError(
            f"--held-out {path}: {len(found)} of its {len(wanted)} ids are among the {len(runs)} documents "
            f"(the first of these is {next(read_spool(folder)).id!r}); training and evaluation both need some"
        )
    reason = f"{len(found)} documents that {path.name} lists"
    return Division("ids", runs, reason if found == wanted else f"{reason} ({len(wanted - found)} ids were not found)")


def divide_by_paragraphs(folder: Path, share: float, seed: int, why: str) -> Division:
    """Runs of paragraphs of all documents."""
    documents = [
        (document.id, document.paragraph_lengths, [count_words(text) for text in document.sentences])
        for document in read_spool(folder)
    ]
    return Division(
        "paragraphs", runs_of_documents(documents, share, seed), f"runs of paragraphs of all documents: {why}"
    )


def too_few_documents(division: Division) -> str | None:
    """Why a division by documents will not do before anything is encoded, or None."""
    held = division.held_out_documents
    if held < MIN_DOCUMENTS or held == len(division.runs):
        return f"a hash would hold out {held} of {len(division.runs)} documents"
    return None


def too_few_tokens(folder: Path, division: Division, tokenizer: Any) -> str | None:
    """Why the held-out documents hold too few tokens, or None."""
    encoder = SentenceEncoder(tokenizer)
    tokens = 0
    for document, _ in _pieces(folder, division, held_out=True):
        tokens += len(encoder.encode(document.sentences)[0])
        if tokens >= MIN_TOKENS:
            return None
    return f"held-out documents would hold {tokens:,} tokens, fewer than {MIN_TOKENS:,}"


def training_words(folder: Path, division: Division, *, cased: bool, advance: Advance) -> dict[str, int]:
    """How often each word occurs in the training part, by BERT's rules."""
    chunks: Counter[str] = Counter()
    total = float(len(division.runs))
    for number, (document, run) in enumerate(_pieces(folder, division, held_out=False)):
        chunks.update(count_chunks(document.sentences[run.start : run.stop]))
        advance(min(number, total), total)
    return words_of_chunks(chunks, lowercase=not cased)


@dataclass(frozen=True)
class Encoded:
    """What was encoded: the counts of each part, and documents of which the tokenizer leaves nothing."""

    parts: dict[str, dict[str, int]]
    held_out_documents: int
    without_tokens: int


def encode_parts(folder: Path, out: Path, division: Division, tokenizer: Any, advance: Advance) -> Encoded:
    """Write both parts of the STORE."""
    encoder = SentenceEncoder(tokenizer)
    vocab_size = len(tokenizer)
    writers = {False: PartWriter(out, TRAIN, vocab_size), True: PartWriter(out, HELD_OUT, vocab_size)}
    total = float(len(division.runs))
    waiting: list[SpooledDocument] = []
    runs: list[list[Run]] = []
    sentences = held_out_documents = without_tokens = 0

    def encode_waiting() -> None:
        nonlocal held_out_documents, without_tokens
        ids, lengths = encoder.encode([sentence for document in waiting for sentence in document.sentences])
        offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        first = 0
        for document, divided in zip(waiting, runs, strict=True):
            held_out_tokens = 0
            for run in divided:
                start, stop = first + run.start, first + run.stop
                part = slice(int(offsets[start]), int(offsets[stop]))
                writers[run.held_out].add(Piece(document.id, run.start, ids[part], lengths[start:stop]))
                held_out_tokens += (part.stop - part.start) * run.held_out
            last = first + len(document.sentences)
            held_out_documents += held_out_tokens > 0
            without_tokens += int(offsets[last] == offsets[first])
            first = last
        waiting.clear()
        runs.clear()

    for number, (document, divided) in enumerate(zip(read_spool(folder), division.runs, strict=True), start=1):
        waiting.append(document)
        runs.append(divided)
        sentences += len(document.sentences)
        if sentences >= SENTENCES_AT_ONCE:
            encode_waiting()
            sentences = 0
            advance(number, total)
    if waiting:
        encode_waiting()
    counts = {writer.part: writer.close() for writer in writers.values()}
    write_json(out / "unigram.json", writers[False].unigram.tolist())
    write_json(out / "dataset_dict.json", {"splits": [TRAIN, HELD_OUT]})
    return Encoded(counts, held_out_documents, without_tokens)


def _pieces(folder: Path, division: Division, *, held_out: bool) -> Iterator[tuple[SpooledDocument, Run]]:
    for document, runs in zip(read_spool(folder), division.runs, strict=True):
        for run in runs:
            if run.held_out == held_out:
                yield document, run

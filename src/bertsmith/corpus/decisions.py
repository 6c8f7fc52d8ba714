"""Decisions: what becomes of each document and each sentence of a shard: dropped, trained on, or held out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.deduplication import (
    DUPLICATE,
    DUPLICATE_PARAGRAPHS,
    NEAR_DUPLICATE,
    Cluster,
    Duplicates,
)
from bertsmith.corpus.shards import read_arrays, read_ids_of_shard, read_shard
from bertsmith.corpus.splitting import document_spans
from bertsmith.corpus.work_folder import DECIDE, numbered, shard_file
from bertsmith.runtime.files import atomic_write
from bertsmith.runtime.ragged import offsets_of, sums
from bertsmith.tokenization.unspaced import count_words

Array = npt.NDArray[Any]

REASONS = ("", DUPLICATE, NEAR_DUPLICATE, DUPLICATE_PARAGRAPHS)


@dataclass(frozen=True)
class Decision:
    """What becomes of the documents of one shard.

    Attributes:
        documents: uint8 of [documents], 0 for one that is kept, otherwise the place of the reason in REASONS.
        paragraphs: int64 of [dropped, 2]: the document and the paragraph of each that is dropped.
        sentences: uint8 of [sentences]: DROPPED, TRAIN or HELD_OUT.
    """

    DROPPED: ClassVar[int] = 0
    TRAIN: ClassVar[int] = 1
    HELD_OUT: ClassVar[int] = 2

    documents: Array
    paragraphs: Array
    sentences: Array

    def reason(self, document: int) -> str:
        """Why a document is dropped; empty for one that is kept."""
        return REASONS[int(self.documents[document])]


def read_decision(folder: Path, number: int) -> Decision:
    """The decision on a shard."""
    return Decision(
        *read_arrays(numbered(folder, DECIDE, number, suffix=".npz"), "documents", "paragraphs", "sentences")
    )


def write_decision(folder: Path, number: int, decision: Decision) -> None:
    """Write the decision on a shard, whole or not at all."""
    with atomic_write(numbered(folder, DECIDE, number, suffix=".npz")) as aside, aside.open("wb") as file:
        np.savez(file, documents=decision.documents, paragraphs=decision.paragraphs, sentences=decision.sentences)


@dataclass
class Division:
    """How the documents are divided, and what is to be said of it.

    Attributes:
        kept: documents that are kept, held-out ones among them.
        dropped: documents by the reason for which they are dropped.
        held_out: kept documents of which at least a part is held out.
        held_out_chunks: what stands between white space in the held-out part.
    """

    by: str
    reason: str
    kept: int = 0
    dropped: dict[str, int] | None = None
    dropped_paragraphs: int = 0
    held_out: int = 0
    held_out_chunks: int = 0


def decide_documents(folder: Path, shards: int, duplicates: Duplicates | None, *, division: Division) -> Division:
    """Write the decision on each shard where whole documents are held out.

    `duplicates=None` keeps everything that was cleaned.
    """
    dropped = np.zeros(len(REASONS), np.int64)
    first = 0
    for number in range(shards):
        held_out, paragraphs, sentences, lengths = read_arrays(
            shard_file(folder, number), "held_out", "paragraphs", "sentences", "lengths"
        )
        count = len(paragraphs)
        documents = (
            duplicates.reasons[first : first + count].copy() if duplicates is not None else np.zeros(count, np.uint8)
        )
        gone = duplicates.paragraphs[number] if duplicates is not None else np.zeros((0, 2), np.int64)
        kept_paragraphs = np.ones(len(sentences), bool)
        kept_paragraphs[gone[:, 1]] = False
        left = sums(kept_paragraphs, paragraphs)
        documents[(documents == 0) & (left == 0)] = REASONS.index(DUPLICATE_PARAGRAPHS)
        kept_paragraphs &= np.repeat(documents == 0, paragraphs)
        side = np.where(held_out, Decision.HELD_OUT, Decision.TRAIN).astype(np.uint8)
        states = np.repeat(np.repeat(side, paragraphs) * kept_paragraphs, sentences).astype(np.uint8)
        write_decision(folder, number, Decision(documents, gone, states))
        division.kept += int((documents == 0).sum())
        division.held_out += int((held_out & (documents == 0)).sum())
        division.held_out_chunks += int(lengths[states == Decision.HELD_OUT].sum())
        division.dropped_paragraphs += int((documents[gone[:, 0]] == 0).sum())
        dropped += np.bincount(documents, minlength=len(REASONS))
        first += count
    division.dropped = {reason: int(count) for reason, count in zip(REASONS, dropped, strict=True) if reason and count}
    return division


def decide_paragraphs(folder: Path, shards: int, division: Division, *, share: float, seed: int) -> Division:
    """Change the decisions to runs of paragraphs of all kept documents; raises DataError for too small a corpus."""
    documents: list[tuple[str, Sequence[int], Sequence[int]]] = []
    places: list[tuple[int, Array]] = []
    for number in range(shards):
        shard, decision = read_shard(shard_file(folder, number)), read_decision(folder, number)
        kept = decision.sentences != Decision.DROPPED
        sizes = np.fromiter(map(count_words, shard.dictionary), np.int64, len(shard.dictionary))
        words = shard.words_of_sentences(sizes)
        for document in np.flatnonzero(decision.documents == 0).tolist():
            start, stop = shard.document_sentences[document : document + 2].tolist()
            first, last = shard.paragraph_offsets[document : document + 2].tolist()
            inside = np.flatnonzero(kept[start:stop]) + start
            counts = sums(kept[start:stop], shard.sentences[first:last])
            documents.append((shard.ids[document], counts[counts > 0].tolist(), words[inside].tolist()))
            places.append((number, inside))
    divided = document_spans(documents, share, seed)
    states = {number: read_decision(folder, number).sentences for number in range(shards)}
    for (number, inside), runs in zip(places, divided, strict=True):
        for run in runs:
            states[number][inside[run.start : run.stop]] = Decision.HELD_OUT if run.held_out else Decision.TRAIN
    for number, sentences in states.items():
        write_decision(folder, number, replace(read_decision(folder, number), sentences=sentences))
    division.held_out = sum(any(run.held_out for run in runs) for runs in divided)
    return division


def decide_all(folder: Path, shards: int, side: int) -> None:
    """Every document on one side: a text to count, or to evaluate on."""
    for number in range(shards):
        paragraphs, lengths = read_arrays(shard_file(folder, number), "paragraphs", "lengths")
        decision = Decision(
            np.zeros(len(paragraphs), np.uint8), np.zeros((0, 2), np.int64), np.full(len(lengths), side, np.uint8)
        )
        write_decision(folder, number, decision)


def name_clusters(folder: Path, documents: Sequence[int], clusters: Iterable[Cluster]) -> Iterable[dict[str, Any]]:
    """The clusters with the ids of their documents."""
    first = offsets_of(documents)
    opened: dict[int, list[str]] = {}

    def name(document: int) -> str:
        number = int(np.searchsorted(first, document, side="right")) - 1
        if number not in opened:
            if len(opened) >= 16:
                opened.pop(next(iter(opened)))
            opened[number] = read_ids_of_shard(shard_file(folder, number))
        return opened[number][document - int(first[number])]

    for cluster in clusters:
        yield {
            "kind": cluster.kind,
            "similarity": cluster.similarity,
            "kept": name(cluster.kept),
            "dropped": [name(document) for document in cluster.dropped],
        }


def json_lines(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

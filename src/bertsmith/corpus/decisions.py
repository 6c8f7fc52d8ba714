"""Decisions: whether each document and sentence of a shard is dropped, trained on, or held out."""

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
    DuplicateCluster,
    Duplicates,
)
from bertsmith.corpus.shards import read_arrays, read_ids_of_shard, read_shard
from bertsmith.corpus.splitting import document_spans
from bertsmith.corpus.work_folder import DECIDE, shard_file, stage_file
from bertsmith.runtime.files import atomic_write
from bertsmith.runtime.ragged import offsets_of, sums
from bertsmith.tokenization.unspaced import count_words

Array = npt.NDArray[Any]

REASONS = ("", DUPLICATE, NEAR_DUPLICATE, DUPLICATE_PARAGRAPHS)


@dataclass(frozen=True)
class Decision:
    """The decisions for the documents of one shard.

    Attributes:
        documents: uint8 of [documents], the index in REASONS of the reason for dropping; 0 if the document is kept.
        paragraphs: int64 of [dropped, 2], the document and the paragraph of each dropped paragraph.
        sentences: uint8 of [sentences], DROPPED, TRAIN or HELD_OUT.
    """

    DROPPED: ClassVar[int] = 0
    TRAIN: ClassVar[int] = 1
    HELD_OUT: ClassVar[int] = 2

    documents: Array
    paragraphs: Array
    sentences: Array

    def reason(self, document: int) -> str:
        """Return why a document is dropped; empty if it is kept."""
        return REASONS[int(self.documents[document])]


def read_decision(folder: Path, number: int) -> Decision:
    """Read the decisions for a shard."""
    return Decision(
        *read_arrays(stage_file(folder, DECIDE, number, suffix=".npz"), "documents", "paragraphs", "sentences")
    )


def write_decision(folder: Path, number: int, decision: Decision) -> None:
    """Write the decisions for a shard atomically."""
    with (
        atomic_write(stage_file(folder, DECIDE, number, suffix=".npz")) as temporary_path,
        temporary_path.open("wb") as file,
    ):
        np.savez(file, documents=decision.documents, paragraphs=decision.paragraphs, sentences=decision.sentences)


@dataclass
class SplitSummary:
    """How the documents are split, with counts.

    Attributes:
        kept: kept documents, including held-out ones.
        dropped: dropped documents by reason.
        held_out: kept documents with at least one held-out sentence.
        held_out_chunks: chunks (runs of text between white space) in the held-out part.
    """

    by: str
    reason: str
    kept: int = 0
    dropped: dict[str, int] | None = None
    dropped_paragraphs: int = 0
    held_out: int = 0
    held_out_chunks: int = 0


def decide_documents(
    folder: Path, shards: int, duplicates: Duplicates | None, *, split_summary: SplitSummary
) -> SplitSummary:
    """Write the decisions of each shard when whole documents are held out, and add the counts to `split_summary`.

    `duplicates=None` keeps every cleaned document.
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
        duplicate_paragraphs = duplicates.paragraphs[number] if duplicates is not None else np.zeros((0, 2), np.int64)
        kept_paragraphs = np.ones(len(sentences), bool)
        kept_paragraphs[duplicate_paragraphs[:, 1]] = False
        left = sums(kept_paragraphs, paragraphs)
        documents[(documents == 0) & (left == 0)] = REASONS.index(DUPLICATE_PARAGRAPHS)
        kept_paragraphs &= np.repeat(documents == 0, paragraphs)
        side = np.where(held_out, Decision.HELD_OUT, Decision.TRAIN).astype(np.uint8)
        states = np.repeat(np.repeat(side, paragraphs) * kept_paragraphs, sentences).astype(np.uint8)
        write_decision(folder, number, Decision(documents, duplicate_paragraphs, states))
        split_summary.kept += int((documents == 0).sum())
        split_summary.held_out += int((held_out & (documents == 0)).sum())
        split_summary.held_out_chunks += int(lengths[states == Decision.HELD_OUT].sum())
        split_summary.dropped_paragraphs += int((documents[duplicate_paragraphs[:, 0]] == 0).sum())
        dropped += np.bincount(documents, minlength=len(REASONS))
        first += count
    split_summary.dropped = {
        reason: int(count) for reason, count in zip(REASONS, dropped, strict=True) if reason and count
    }
    return split_summary


def decide_paragraphs(
    folder: Path, shards: int, split_summary: SplitSummary, *, share: float, seed: int
) -> SplitSummary:
    """Hold out spans of paragraphs of all kept documents instead. Raises DataError if the corpus is too small."""
    documents: list[tuple[str, Sequence[int], Sequence[int]]] = []
    kept_sentences: list[tuple[int, Array]] = []
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
            kept_sentences.append((number, inside))
    spans_of_documents = document_spans(documents, share, seed)
    states = {number: read_decision(folder, number).sentences for number in range(shards)}
    for (number, inside), spans in zip(kept_sentences, spans_of_documents, strict=True):
        for span in spans:
            states[number][inside[span.start : span.stop]] = Decision.HELD_OUT if span.held_out else Decision.TRAIN
    for number, sentences in states.items():
        write_decision(folder, number, replace(read_decision(folder, number), sentences=sentences))
    split_summary.held_out = sum(any(span.held_out for span in spans) for spans in spans_of_documents)
    return split_summary


def decide_all(folder: Path, shards: int, side: int) -> None:
    """Put all documents in one part, TRAIN or HELD_OUT, for a text to count words in or to evaluate on."""
    for number in range(shards):
        paragraphs, lengths = read_arrays(shard_file(folder, number), "paragraphs", "lengths")
        decision = Decision(
            np.zeros(len(paragraphs), np.uint8), np.zeros((0, 2), np.int64), np.full(len(lengths), side, np.uint8)
        )
        write_decision(folder, number, decision)


def name_clusters(
    folder: Path, documents: Sequence[int], clusters: Iterable[DuplicateCluster]
) -> Iterable[dict[str, Any]]:
    """Yield the duplicate clusters with the ids of their documents."""
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


def to_json_lines(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

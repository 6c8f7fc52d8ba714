"""The held-out part: whole documents by a hash of their id, or runs of paragraphs where documents are few.

By hash, a document stays on its side when the corpus grows. Where that leaves fewer than two documents or under
2,000 tokens (a corpus that is one book), contiguous runs of paragraphs are taken from all documents instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.runtime import random

MIN_DOCUMENTS = 2
MIN_TOKENS = 2_000
MAX_SHARE = 0.2
RUNS_A_DOCUMENT = 8
FEW_PARAGRAPHS = 50


@dataclass(frozen=True)
class Run:
    """Sentences start to stop of a document, and the side they are on."""

    start: int
    stop: int
    held_out: bool


def is_held_out(document_id: str, share: float, seed: int) -> bool:
    """Whether a document is held out: a pure function of its id, the share and the seed."""
    return random.key("held-out", seed, document_id) < share * 2.0**64


def read_ids(path: Path) -> frozenset[str]:
    """The ids in a file, one a line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        ids = frozenset(line.strip() for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--held-out {path}: cannot be read as lines of document ids: {error}") from None
    if not ids:
        raise DataError(f"--held-out {path}: no document id in this file; expected one a line")
    return ids


def document_spans(
    documents: Sequence[tuple[str, Sequence[int], Sequence[int]]], share: float, seed: int
) -> list[list[Run]]:
    """Divide every document into runs, a share of the words of each held out.

    Args:
        documents: for each its id, the number of sentences of each paragraph, and of words of each sentence.
        share: of words (`unspaced.count_words`) to hold out; raised as far as 2,000 of them need, about 2,000 tokens
            or more.

    Paragraphs stay whole where they are fine enough for that, otherwise runs of sentences are taken.

    Raises DataError where 2,000 words would be more than a fifth of the corpus.
    """
    words = sum(sum(counts) for _, _, counts in documents)
    needed = MIN_TOKENS * 1.05 / max(words, 1)
    if needed > MAX_SHARE:
        raise DataError(
            f"the corpus is too small for a held-out part: {words:,} words, and at least {MIN_TOKENS:,} are held "
            f"out of a fifth of it or less. At least {int(MIN_TOKENS * 1.05 / MAX_SHARE):,} words are needed; add text."
        )
    share = max(share, needed)
    if sum(len(lengths) for _, lengths, _ in documents) >= FEW_PARAGRAPHS:
        divided = _divided(documents, share, seed, whole_paragraphs=True)
        if _held_words(documents, divided) >= MIN_TOKENS:
            return divided
    # A sentence has at most 2,000 characters, so half of one may be owed at the end: ask for a fifth more.
    for asked in (share, max(share, min(share * 1.2, MAX_SHARE))):
        divided = _divided(documents, asked, seed, whole_paragraphs=False)
        if _held_words(documents, divided) >= MIN_TOKENS:
            return divided
    raise DataError(
        f"the corpus is too small for a held-out part: of {words:,} words in sentences this long, no runs of "
        f"{MIN_TOKENS:,} words can be taken; add text."
    )


def _divided(
    documents: Sequence[tuple[str, Sequence[int], Sequence[int]]], share: float, seed: int, *, whole_paragraphs: bool
) -> list[list[Run]]:
    owed = 0.0
    divided: list[list[Run]] = [[] for _ in documents]
    # By id, so that the order of the files changes nothing.
    for index in sorted(range(len(documents)), key=lambda index: documents[index][0]):
        name, paragraph_lengths, word_counts = documents[index]
        units = list(paragraph_lengths) if whole_paragraphs else [1] * len(word_counts)
        held, owed = _held_units(name, units, word_counts, share=share, seed=seed, owed=owed)
        divided[index] = _runs(units, held)
    return divided


def _held_words(documents: Sequence[tuple[str, Sequence[int], Sequence[int]]], divided: list[list[Run]]) -> int:
    return sum(
        sum(word_counts[run.start : run.stop])
        for (_, _, word_counts), runs in zip(documents, divided, strict=True)
        for run in runs
        if run.held_out
    )


def _held_units(
    name: str, units: Sequence[int], word_counts: Sequence[int], *, share: float, seed: int, owed: float
) -> tuple[list[bool], float]:
    """Which units (paragraphs or sentences) of a document are held out: one run in each stratum of the document.

    `owed` is the number of words that documents before this one were too coarse to give.
    """
    sizes, position = [], 0
    for length in units:
        sizes.append(sum(word_counts[position : position + length]))
        position += length
    held = [False] * len(units)
    strata = max(1, min(RUNS_A_DOCUMENT, len(units) // 20))
    for stratum in range(strata):
        first, last = stratum * len(units) // strata, (stratum + 1) * len(units) // strata
        words = sum(sizes[first:last])
        owed += share * words
        # The run starts where enough words are left in the stratum.
        skip = random.key("held-out run", seed, name, stratum) / 2.0**64 * max(words - owed, 0)
        at = first
        while at < last and sizes[at] <= skip:
            skip -= sizes[at]
            at += 1
        while at < last and owed >= sizes[at] / 2:
            held[at] = True
            owed -= sizes[at]
            at += 1
    return held, owed


def _runs(units: Sequence[int], held: Sequence[bool]) -> list[Run]:
    runs: list[Run] = []
    position = 0
    for length, out in zip(units, held, strict=True):
        if runs and runs[-1].held_out == out:
            runs[-1] = Run(runs[-1].start, position + length, out)
        else:
            runs.append(Run(position, position + length, out))
        position += length
    return runs

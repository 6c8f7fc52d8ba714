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
        ids = frozenset(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--held-out {path}: cannot be read as lines of document ids: {error}") from None
    if not ids:
        raise DataError(f"--held-out {path}: no document id in this file; expected one a line")
    return ids


def runs_of_documents(
    documents: Sequence[tuple[str, Sequence[int], Sequence[int]]], share: float, seed: int
) -> list[list[Run]]:
    """Divide every document into runs, a share of the words of each held out.

    Args:
        documents: for each its id, the number of sentences of each paragraph, and of words of each sentence.
        share: of words to hold out; raised as far as 2,000 words need, which are at least 2,000 tokens.

    Raises DataError where that would take more than a fifth of the corpus.
    """
    words = sum(sum(counts) for _, _, counts in documents)
    needed = MIN_TOKENS * 1.05 / max(words, 1)
    if needed > MAX_SHARE:
        raise DataError(
            f"the corpus is too small for a held-out part: {words:,} words, and at least {MIN_TOKENS:,} are held "
            f"out of a fifth of it or less. At least {int(MIN_TOKENS * 1.05 / MAX_SHARE):,} words are needed; add text."
        )
    share = max(share, needed)
    few = sum(len(lengths) for _, lengths, _ in documents) < FEW_PARAGRAPHS
    owed = 0.0
    divided = []
    for name, paragraph_lengths, word_counts in documents:
        units = [1] * len(word_counts) if few else list(paragraph_lengths)
        held, owed = _held_units(name, units, word_counts, share, seed, owed)
        divided.append(_runs(units, held))
    return divided


def _held_units(
    name: str, units: Sequence[int], word_counts: Sequence[int], share: float, seed: int, owed: float
) -> tuple[list[bool], float]:
    """Which units (paragraphs) of a document are held out: one run in each stratum of the document.

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
        owed += share * sum(sizes[first:last])
        offset = random.key("held-out run", seed, name, stratum) / 2.0**64
        # The run starts early enough to end within its stratum.
        at = first + int(offset * (last - first) * (1 - min(share * 1.5, 1)))
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

"""Pairs: which tokens become segment A and B of each example of an epoch, planned from sentence lengths alone.

The packing is google-research/bert's (`create_pretraining_data.py`, `create_instances_from_document`): sentences of a
document are gathered to the maximum length, cut at a random place into A and B, and with probability 0.5 B is
replaced by sentences of another document, the unused ones being put back. A chunk of one sentence has no next: its B
is random by force. Too long pairs lose tokens from the longer segment, at a random end. One thing differs: the short
target length (10%) is drawn for each pair; the original draws once a document, which makes a whole book short.

A plan is a pure function of (part, seed, epoch): the draws of a chunk are those of the sentence it starts with.
Planning 100,000 sentences takes some 0.3 s and 40 bytes an example.
"""

from __future__ import annotations

import random as python_random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.store import TokenPart
from bertsmith.errors import DataError
from bertsmith.runtime import random

SHORT_PROBABILITY = 0.1
RANDOM_NEXT_PROBABILITY = 0.5
FAR_SENTENCES = 50
"""In a corpus of one document, B is random from at least so many sentences away."""

IS_NEXT, NOT_NEXT = 0, 1
"""The labels of transformers and of the original."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PairPlan:
    """The examples of an epoch, as token spans of a part; all arrays are int64 of [examples].

    Segment A is tokens a_start to a_stop, B is b_start to b_stop (empty for single segments).
    """

    a_start: Ints
    a_stop: Ints
    b_start: Ints
    b_stop: Ints
    label: Ints
    forced: int = 0
    """Pairs that are random because their chunk held one sentence."""

    def __len__(self) -> int:
        return len(self.a_start)


def plan_epoch(part: TokenPart, objective: str, sequence_length: int, *, seed: int, epoch: int) -> PairPlan:
    """The examples of one epoch, in the order of the text."""
    if objective == "mlm":
        return plan_rows(part, sequence_length, seed=seed, epoch=epoch)
    return plan_pairs(part, sequence_length, swap=objective == "mlm+sop", seed=seed, epoch=epoch)


def plan_rows(part: TokenPart, sequence_length: int, *, seed: int, epoch: int) -> PairPlan:
    """Single segments that fill whole rows, across sentence ends, from a start that each epoch draws anew."""
    width = sequence_length - 2
    offset = random.key("rows", seed, epoch) % width if part.num_tokens > 2 * width else 0
    cuts = np.arange(offset, part.num_tokens, width, dtype=np.int64)
    starts = np.concatenate(([0], cuts)) if offset else cuts
    stops = np.append(starts[1:], part.num_tokens)
    empty = np.zeros(len(starts), dtype=np.int64)
    return PairPlan(starts, stops, empty, empty, empty)


def plan_pairs(part: TokenPart, sequence_length: int, *, swap: bool, seed: int, epoch: int) -> PairPlan:
    """Segment pairs for next sentence prediction, or with `swap` for sentence order prediction.

    Sentence order prediction (Lan et al. 2020, ALBERT, section 3.1): both segments are consecutive, label 1 says
    that they are swapped. Raises DataError where no random B can be found that is far enough away.
    """
    planner = _Planner(part, sequence_length - 3, swap, random.generator("pairs", seed, epoch))
    for piece in range(part.num_pieces):
        planner.plan_piece(piece)
    rows = np.array(planner.rows, dtype=np.int64).reshape(-1, 5)
    a_start, a_stop, b_start, b_stop, label = (np.ascontiguousarray(column) for column in rows.T)
    return PairPlan(a_start, a_stop, b_start, b_stop, label, planner.forced)


class _Planner:
    def __init__(self, part: TokenPart, max_tokens: int, swap: bool, generator: np.random.Generator) -> None:
        self.max_tokens, self.swap = max_tokens, swap
        self.offsets: list[int] = part.sentence_offsets.tolist()
        self.pieces: list[int] = part.document_offsets.tolist()
        self.groups: list[int] = part.group_of_piece.tolist()
        self.first_sentences: list[int] = part.first_sentences.tolist()
        self.num_groups = self.groups[-1] + 1 if self.groups else 0
        # Where the pieces of each document begin and end in the list of pieces.
        self.group_starts = np.searchsorted(part.group_of_piece, np.arange(self.num_groups + 1)).tolist()
        # A chunk is known by the sentence it starts with; its draws stand in that sentence's row of these tables:
        # short?, target length, cut, random?, document, sentence; and the coins for the ends of A and B.
        self.draws = generator.random((part.num_sentences, 6))
        self.coins = generator.integers(0, 2**63, (part.num_sentences, 2))
        self.rows: list[tuple[int, int, int, int, int]] = []
        self.forced = 0
        if self.num_groups == 1 and not swap:
            self.positions = self._positions(part)

    @staticmethod
    def _positions(part: TokenPart) -> list[int]:
        """Where each sentence stands in the one document of the corpus."""
        counts = np.diff(part.document_offsets)
        inside = np.arange(part.num_sentences) - np.repeat(part.document_offsets[:-1], counts)
        positions: list[int] = (np.repeat(part.first_sentences, counts) + inside).tolist()
        return positions

    def plan_piece(self, piece: int) -> None:
        start, end = self.pieces[piece], self.pieces[piece + 1]
        first, draws = start, self.draws[start:end].tolist()
        while start < end:
            short, length, cut, is_random, document, sentence = draws[start - first]
            target = self.max_tokens
            if short < SHORT_PROBABILITY:
                target = 2 + int(length * (self.max_tokens - 1))
            # The chunk ends with the first sentence that reaches the target, or with the piece.
            stop = min(bisect_left(self.offsets, self.offsets[start] + target, start + 1), end)
            a_end = start + 1 + int(cut * (stop - start - 1)) if stop - start >= 2 else start + 1
            if self.swap:
                start = self._add_order(start, a_end, stop, is_random)
            elif stop - start == 1 or is_random < RANDOM_NEXT_PROBABILITY:
                self.forced += stop - start == 1
                self._add_random(piece, (start, a_end, stop), target, document, sentence)
                start = a_end
            else:
                self._add(start, (start, a_end), (a_end, stop), IS_NEXT)
                start = stop

    def _add_order(self, start: int, a_end: int, stop: int, is_swapped: float) -> int:
        if stop - start >= 2:
            if is_swapped < RANDOM_NEXT_PROBABILITY:
                self._add(start, (a_end, stop), (start, a_end), NOT_NEXT)
            else:
                self._add(start, (start, a_end), (a_end, stop), IS_NEXT)
        return stop

    def _add_random(
        self, piece: int, chunk: tuple[int, int, int], target: int, document: float, sentence: float
    ) -> None:
        start, a_end, stop = chunk
        if self.num_groups > 1:
            group = self.groups[piece]
            low, high = self.group_starts[group], self.group_starts[group + 1]
            other = int(document * (len(self.groups) - (high - low)))
            other += (high - low) * (other >= low)
            first, end = self.pieces[other], self.pieces[other + 1]
            begin = first + int(sentence * (end - first))
        else:
            begin, end = self._far_sentence(start, stop, sentence)
        wanted = max(target - (self.offsets[a_end] - self.offsets[start]), 1)
        b_stop = min(bisect_left(self.offsets, self.offsets[begin] + wanted, begin + 1), end)
        self._add(start, (start, a_end), (begin, b_stop), NOT_NEXT)

    def _far_sentence(self, start: int, stop: int, draw: float) -> tuple[int, int]:
        """A sentence of the same document at least 50 away from the chunk, and where B must end."""
        positions = self.positions
        before = bisect_right(positions, positions[start] - FAR_SENTENCES)
        after = bisect_left(positions, positions[stop - 1] + FAR_SENTENCES)
        choices = before + len(positions) - after
        if choices == 0:
            raise DataError(
                f"the corpus is one document of {len(positions)} sentences: no sentence is {FAR_SENTENCES} away from "
                "every other, as a random next sentence has to be. Add text, or give --objective mlm."
            )
        begin = int(draw * choices)
        begin = begin if begin < before else after + begin - before
        # B stays within its piece, and short of the sentences that are too near.
        piece_end = self.pieces[bisect_right(self.pieces, begin)]
        return begin, min(before, piece_end) if begin < before else piece_end

    def _add(self, start: int, a: tuple[int, int], b: tuple[int, int], label: int) -> None:
        a_start, a_stop = self.offsets[a[0]], self.offsets[a[1]]
        b_start, b_stop = self.offsets[b[0]], self.offsets[b[1]]
        excess = (a_stop - a_start) + (b_stop - b_start) - self.max_tokens
        if excess > 0:
            from_a, from_b = truncation(a_stop - a_start, b_stop - b_start, excess)
            front_a, front_b = (
                _front(lost, int(coin)) for lost, coin in zip((from_a, from_b), self.coins[start], strict=True)
            )
            a_start, a_stop = a_start + front_a, a_stop - (from_a - front_a)
            b_start, b_stop = b_start + front_b, b_stop - (from_b - front_b)
        self.rows.append((a_start, a_stop, b_start, b_stop, label))


def truncation(a: int, b: int, excess: int) -> tuple[int, int]:
    """How many tokens each segment loses when one is taken from the longer, `excess` times; B loses where both tie."""
    from_a = min(excess, max(a - b, 0))
    from_b = min(excess, max(b - a, 0))
    rest = excess - from_a - from_b
    return from_a + rest // 2, from_b + rest - rest // 2


def _front(count: int, seed: int) -> int:
    """How many of `count` tokens go from the front: one fair coin for each."""
    return python_random.Random(seed).getrandbits(count).bit_count() if count else 0


def label_counts(plan: PairPlan) -> dict[str, Any]:
    """How many pairs there are of each kind, for reports."""
    not_next = int(plan.label.sum())
    return {
        "pairs": len(plan),
        "is_next": len(plan) - not_next,
        "not_next": not_next,
        "forced_random": plan.forced,
    }

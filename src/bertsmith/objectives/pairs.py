"""Pairs: which tokens become segment A and B of each example of an epoch, planned from sentence lengths alone.

The packing is google-research/bert's (`create_pretraining_data.py`, `create_instances_from_document`): sentences of a
document are gathered to the maximum length, cut at a random place into A and B, and with probability 0.5 B is
replaced by sentences of another document, the unused ones being put back. A chunk of one sentence has no next: its B
is random by force. Too long pairs lose tokens from the longer segment, at a random end. One thing differs: the short
target length (10%) is drawn for each pair; the original draws once a document, which makes a whole book short.

A plan is a pure function of (part, seed, epoch): the draws of a chunk are those of the sentence it starts with. So
the chunk of every sentence is computed at once, as if one began there, and the chain from each chunk to the next one
is followed after that. Planning takes about a second for a million sentences, and 40 bytes an example.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.store import TokenPart
from bertsmith.errors import DataError
from bertsmith.runtime import random

SHORT_PROBABILITY = 0.1
RANDOM_NEXT_PROBABILITY = 0.5
FAR_SENTENCES = 50
"""Within one document B is random from at least so many sentences away."""

IS_NEXT, NOT_NEXT = 0, 1
"""The labels of transformers and of the original."""

OTHER_DOCUMENT, SAME_DOCUMENT = "other-document", "same-document"
"""Where the B of a random pair comes from."""

SENTENCES_AT_ONCE = 1 << 18

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
    same_document: int = 0
    """Random pairs whose B is of the document of A."""
    left_out: int = 0
    """Tokens that stand in neither segment that their chunk gave: cut off, or without a second sentence to swap."""

    def __len__(self) -> int:
        return len(self.a_start)


def plan_epoch(
    part: TokenPart, objective: str, sequence_length: int, *, negatives: str = OTHER_DOCUMENT, seed: int, epoch: int
) -> PairPlan:
    """The examples of one epoch, in the order of the text."""
    if objective == "mlm":
        return plan_rows(part, sequence_length, seed=seed, epoch=epoch)
    swap = objective == "mlm+sop"
    return plan_pairs(part, sequence_length, swap=swap, negatives=negatives, seed=seed, epoch=epoch)


def plan_rows(part: TokenPart, sequence_length: int, *, seed: int, epoch: int) -> PairPlan:
    """Single segments that fill whole rows, across sentence ends, from a start that each epoch draws anew."""
    width = sequence_length - 2
    offset = random.key("rows", seed, epoch) % width if part.num_tokens > 2 * width else 0
    cuts = np.arange(offset, part.num_tokens, width, dtype=np.int64)
    starts = np.concatenate(([0], cuts)) if offset else cuts
    stops = np.append(starts[1:], part.num_tokens)
    empty = np.zeros(len(starts), dtype=np.int64)
    return PairPlan(starts, stops, empty, empty, empty)


def plan_pairs(
    part: TokenPart, sequence_length: int, *, swap: bool, negatives: str = OTHER_DOCUMENT, seed: int, epoch: int
) -> PairPlan:
    """Segment pairs for next sentence prediction, or with `swap` for sentence order prediction.

    Sentence order prediction (Lan et al. 2020, ALBERT, section 3.1): both segments are consecutive, label 1 says
    that they are swapped. With `negatives` "same-document" a random B comes from the document of A, at least 50
    sentences away; a document without such a sentence takes it from another one.

    Raises DataError where the corpus is one document, and no sentence of it is far enough away.
    """
    planner = _Planner(part, sequence_length - 3, swap=swap, negatives=negatives, seed=seed, epoch=epoch)
    # A chunk ends with its piece at the latest, so blocks of whole pieces are planned by themselves.
    cuts = np.searchsorted(part.document_offsets, np.arange(0, part.num_sentences, SENTENCES_AT_ONCE))
    borders = np.append(np.unique(cuts), part.num_fragments).tolist() if part.num_fragments else [0]
    plans = [planner.plan(first, last) for first, last in pairwise(borders) if last > first]
    return joined(plans)


def joined(plans: list[PairPlan]) -> PairPlan:
    """Several plans as one."""
    if not plans:
        none = np.zeros(0, np.int64)
        return PairPlan(none, none, none, none, none)
    values: list[Any] = []
    for item in fields(PairPlan):
        parts = [getattr(plan, item.name) for plan in plans]
        values.append(np.concatenate(parts) if isinstance(parts[0], np.ndarray) else sum(parts))
    return PairPlan(*values)


class _Planner:
    """The chunks of a part and their segments; sentences, pieces and documents ("groups") are numbers of the part."""

    def __init__(self, part: TokenPart, max_tokens: int, *, swap: bool, negatives: str, seed: int, epoch: int) -> None:
        self.max_tokens, self.swap, self.seed, self.epoch = max_tokens, swap, seed, epoch
        self.offsets, self.pieces, self.groups = part.sentence_offsets, part.document_offsets, part.document_of_fragment
        self.num_groups = int(self.groups[-1]) + 1 if len(self.groups) else 0
        self.near = negatives == SAME_DOCUMENT or self.num_groups == 1
        # Where the pieces of each document begin in the list of pieces.
        self.group_starts = np.searchsorted(self.groups, np.arange(self.num_groups + 1))
        if self.near and not swap:
            counts = np.diff(self.pieces)
            inside = np.arange(part.num_sentences) - np.repeat(self.pieces[:-1], counts)
            self.positions = np.repeat(part.first_sentences, counts) + inside
            # Positions as one ascending list over all documents: those of a document lie within its own range.
            self.stride = int(self.positions.max(initial=0)) + 2 * FAR_SENTENCES + 1
            self.ranks = np.repeat(self.groups, counts) * self.stride + self.positions

    def _draw(self, purpose: str, sentences: Ints) -> npt.NDArray[np.float64]:
        """A number in [0, 1) for the chunk that starts with each sentence."""
        return random.uniform(random.bits(random.key("pairs", purpose, self.seed, self.epoch), sentences))

    def plan(self, first_piece: int, last_piece: int) -> PairPlan:
        """The pairs of the pieces `first_piece` to `last_piece`, the last one excluded."""
        first, last = int(self.pieces[first_piece]), int(self.pieces[last_piece])
        starts = np.arange(first, last)
        piece = np.repeat(np.arange(first_piece, last_piece), np.diff(self.pieces[first_piece : last_piece + 1]))
        short = self._draw("short", starts) < SHORT_PROBABILITY
        lengths = 2 + (self._draw("length", starts) * (self.max_tokens - 1)).astype(np.int64)
        targets = np.where(short, lengths, self.max_tokens)
        # The chunk ends with the first sentence that reaches the target, or with the piece.
        stops = np.minimum(self._reaching(starts, targets), self.pieces[piece + 1])
        a_ends = starts + 1 + (self._draw("cut", starts) * (stops - starts - 1)).astype(np.int64)
        alone = stops - starts == 1
        is_random = self._draw("next", starts) < RANDOM_NEXT_PROBABILITY
        follows = stops if self.swap else np.where(alone | is_random, a_ends, stops)
        at = _chain(follows - first)
        starts, piece, targets, stops, a_ends = (array[at] for array in (starts, piece, targets, stops, a_ends))
        if self.swap:
            return self._ordered(starts, a_ends, stops, is_random[at])
        return self._next(starts, piece, targets, stops, a_ends, is_random[at])

    def _reaching(self, begins: Ints, tokens: Ints) -> Ints:
        """The sentence behind the first one with which so many tokens from `begins` on are reached."""
        return np.searchsorted(self.offsets, self.offsets[begins] + tokens)

    def _ordered(self, starts: Ints, a_ends: Ints, stops: Ints, swapped: npt.NDArray[np.bool_]) -> PairPlan:
        """Pairs for sentence order prediction; a chunk of one sentence gives none."""
        pair = stops - starts >= 2
        lost = int((self.offsets[stops] - self.offsets[starts])[~pair].sum())
        starts, a_ends, stops, swapped = starts[pair], a_ends[pair], stops[pair], swapped[pair]
        a = np.where(swapped, a_ends, starts), np.where(swapped, stops, a_ends)
        b = np.where(swapped, starts, a_ends), np.where(swapped, a_ends, stops)
        return self._cut(
            starts, a, b, np.where(swapped, NOT_NEXT, IS_NEXT), own_b=np.ones(len(starts), bool), lost=lost
        )

    def _next(
        self, starts: Ints, piece: Ints, targets: Ints, stops: Ints, a_ends: Ints, is_random: npt.NDArray[np.bool_]
    ) -> PairPlan:
        """Pairs for next sentence prediction."""
        alone = stops - starts == 1
        drawn = np.flatnonzero(alone | is_random)
        b_begins, b_stops, label = a_ends.copy(), stops.copy(), np.full(len(starts), IS_NEXT)
        begins, ends, same = self._elsewhere(starts[drawn], stops[drawn], piece[drawn])
        wanted = targets[drawn] - (self.offsets[a_ends[drawn]] - self.offsets[starts[drawn]])
        b_begins[drawn] = begins
        b_stops[drawn] = np.minimum(self._reaching(begins, np.maximum(wanted, 1)), ends)
        label[drawn] = NOT_NEXT
        return self._cut(
            starts, (starts, a_ends), (b_begins, b_stops), label,
            own_b=label == IS_NEXT, forced=int(alone.sum()), same_document=same,
        )  # fmt: skip

    def _elsewhere(self, starts: Ints, stops: Ints, piece: Ints) -> tuple[Ints, Ints, int]:
        """A random sentence for each chunk, where B must end at the latest, and how many are of the same document."""
        if not self.near:
            return *self._in_other_document(starts, piece), 0
        low, high, group_first, choices = self._far_sentences(starts, stops, piece)
        if self.num_groups == 1 and not choices.all():
            raise DataError(
                f"the corpus is one document of {len(self.positions)} sentences: no sentence is {FAR_SENTENCES} away "
                "from every other, as a random next sentence has to be. Add text, or give --objective mlm."
            )
        begins, ends = np.zeros_like(starts), np.zeros_like(starts)
        far, none = np.flatnonzero(choices), np.flatnonzero(choices == 0)
        begins[none], ends[none] = self._in_other_document(starts[none], piece[none])
        places = (self._draw("sentence", starts[far]) * choices[far]).astype(np.int64) + group_first[far]
        before = places < low[far]
        places = np.where(before, places, places + high[far] - low[far])
        # B stays within its piece, and short of the sentences that are too near.
        piece_ends = self.pieces[np.searchsorted(self.pieces, places, side="right")]
        begins[far], ends[far] = places, np.where(before, np.minimum(low[far], piece_ends), piece_ends)
        return begins, ends, len(far)

    def _in_other_document(self, starts: Ints, piece: Ints) -> tuple[Ints, Ints]:
        group = self.groups[piece]
        low, high = self.group_starts[group], self.group_starts[group + 1]
        other = (self._draw("document", starts) * (len(self.groups) - (high - low))).astype(np.int64)
        other += (high - low) * (other >= low)
        first, ends = self.pieces[other], self.pieces[other + 1]
        return first + (self._draw("sentence", starts) * (ends - first)).astype(np.int64), ends

    def _far_sentences(self, starts: Ints, stops: Ints, piece: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """The sentences from `low` to `high` of the document are too near; its first one; how many others it has."""
        group = self.groups[piece]
        group_first = self.pieces[self.group_starts[group]]
        group_last = self.pieces[self.group_starts[group + 1]]
        base = group * self.stride
        low = np.searchsorted(self.ranks, base + self.positions[starts] - FAR_SENTENCES, side="right")
        low = np.maximum(low, group_first)
        high = np.minimum(np.searchsorted(self.ranks, base + self.positions[stops - 1] + FAR_SENTENCES), group_last)
        return low, high, group_first, (low - group_first) + (group_last - high)

    def _cut(
        self,
        starts: Ints,
        a: tuple[Ints, Ints],
        b: tuple[Ints, Ints],
        label: Ints,
        *,
        own_b: npt.NDArray[np.bool_],
        lost: int = 0,
        forced: int = 0,
        same_document: int = 0,
    ) -> PairPlan:
        """The segments in tokens, cut to the maximum; `own_b` says where B is of the chunk itself."""
        a_start, a_stop = self.offsets[a[0]], self.offsets[a[1]]
        b_start, b_stop = self.offsets[b[0]], self.offsets[b[1]]
        size_a, size_b = a_stop - a_start, b_stop - b_start
        from_a, from_b = truncation(size_a, size_b, np.maximum(size_a + size_b - self.max_tokens, 0))
        front_a = self._fronts("a", starts, from_a)
        front_b = self._fronts("b", starts, from_b)
        lost += int(np.sum(from_a)) + int(np.sum(np.where(own_b, from_b, 0)))
        return PairPlan(
            a_start + front_a, a_stop - (from_a - front_a), b_start + front_b, b_stop - (from_b - front_b),
            label.astype(np.int64), forced, same_document, lost,
        )  # fmt: skip

    def _fronts(self, segment: str, starts: Ints, counts: npt.ArrayLike) -> Ints:
        """How many of `counts` tokens go from the front: one fair coin, one bit of a hash, for each."""
        counts = np.broadcast_to(counts, starts.shape)
        base = random.key("coins", segment, self.seed, self.epoch)
        fronts = np.zeros_like(starts)
        done, rows = 0, np.flatnonzero(counts)
        while len(rows):
            bits = np.minimum(counts[rows] - done, 64).astype(np.uint64)
            mask = np.uint64(2**64 - 1) >> (np.uint64(64) - bits)
            fronts[rows] += np.bitwise_count(random.bits(base, starts[rows], done) & mask)
            done += 64
            rows = rows[counts[rows] > done]
        return fronts


def _chain(follows: Ints) -> Ints:
    """The places 0, follows[0], follows[follows[0]] and so on, up to the end of the list."""
    following, at, end = follows.tolist(), 0, len(follows)
    places = []
    while at < end:
        places.append(at)
        at = following[at]
    return np.array(places, dtype=np.int64)


def truncation(a: Ints, b: Ints, excess: Ints) -> tuple[Ints, Ints]:
    """How many tokens each segment loses when one is taken from the longer, `excess` times; B loses where both tie."""
    from_a = np.minimum(excess, np.maximum(a - b, 0))
    from_b = np.minimum(excess, np.maximum(b - a, 0))
    rest = excess - from_a - from_b
    return from_a + rest // 2, from_b + rest - rest // 2


def label_counts(plan: PairPlan) -> dict[str, Any]:
    """How many pairs there are of each kind, for reports."""
    not_next = int(plan.label.sum())
    return {
        "pairs": len(plan),
        "is_next": len(plan) - not_next,
        "not_next": not_next,
        "forced_random": plan.forced,
    }

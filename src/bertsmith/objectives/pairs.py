"""Pairs: the tokens of segments A and B of each example of an epoch, planned from sentence lengths only.

The packing is google-research/bert's (`create_pretraining_data.py`, `create_instances_from_document`): sentences of a
document are gathered to the maximum length (a chunk) and cut at a random place into A and B. With probability 0.5 B is
replaced by sentences of a different document, and the unused sentences go to the next chunk. A chunk of one sentence
has no next sentence, so its B is always random. Pairs that are too long lose tokens from the longer segment, at a
random end. One thing differs: the short target length (10%) is drawn per pair; the original draws it per document,
which makes all pairs of a book short.

A plan is a pure function of (part, seed, epoch): the draws of a chunk depend only on its first sentence. So chunks are
computed for all sentences at once, as if a chunk began at each, and then the chain from each chunk to the next selects
the real ones. Planning takes about a second per million sentences, and 40 bytes per example.

A fragment is a run of consecutive sentences of a document in the part (held-out paragraphs leave gaps).
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
"""Within one document, a random B is at least this many sentences away."""

IS_NEXT, NOT_NEXT = 0, 1
"""The labels of transformers and of the original."""

OTHER_DOCUMENT, SAME_DOCUMENT = "other-document", "same-document"
"""The source of the B of a random pair."""

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
    """Random pairs whose B comes from the document of A."""
    left_out: int = 0
    """Tokens in neither segment of their chunk: cut off, or in a chunk of one sentence, which cannot be swapped."""

    def __len__(self) -> int:
        return len(self.a_start)


def plan_epoch(
    part: TokenPart, objective: str, sequence_length: int, *, negatives: str = OTHER_DOCUMENT, seed: int, epoch: int
) -> PairPlan:
    """Return the examples of one epoch, in the order of the text."""
    if objective == "mlm":
        return plan_rows(part, sequence_length, seed=seed, epoch=epoch)
    swap = objective == "mlm+sop"
    return plan_pairs(part, sequence_length, swap=swap, negatives=negatives, seed=seed, epoch=epoch)


def plan_rows(part: TokenPart, sequence_length: int, *, seed: int, epoch: int) -> PairPlan:
    """Return single segments that fill whole rows, across sentence ends; each epoch draws a new start."""
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
    """Return segment pairs for next sentence prediction, or with `swap` for sentence order prediction.

    Sentence order prediction (Lan et al. 2020, ALBERT, section 3.1): both segments are consecutive; label 1 means that
    they are swapped. With `negatives` "same-document" a random B comes from the document of A, at least 50 sentences
    away, or from a different document if the document is too short.

    Raises DataError if the corpus is one document that is too short for this distance.
    """
    planner = _Planner(part, sequence_length - 3, swap=swap, negatives=negatives, seed=seed, epoch=epoch)
    # No chunk crosses the end of a fragment, so blocks of whole fragments are planned separately.
    cuts = np.searchsorted(part.document_offsets, np.arange(0, part.num_sentences, SENTENCES_AT_ONCE))
    borders = np.append(np.unique(cuts), part.num_fragments).tolist() if part.num_fragments else [0]
    plans = [planner.plan(first, last) for first, last in pairwise(borders) if last > first]
    return concatenate_plans(plans)


def concatenate_plans(plans: list[PairPlan]) -> PairPlan:
    """Return several plans as one."""
    if not plans:
        none = np.zeros(0, np.int64)
        return PairPlan(none, none, none, none, none)
    values: list[Any] = []
    for item in fields(PairPlan):
        parts = [getattr(plan, item.name) for plan in plans]
        values.append(np.concatenate(parts) if isinstance(parts[0], np.ndarray) else sum(parts))
    return PairPlan(*values)


class _Planner:
    """Plans chunks and their segments; sentences, fragments and documents are numbers within the part."""

    def __init__(self, part: TokenPart, max_tokens: int, *, swap: bool, negatives: str, seed: int, epoch: int) -> None:
        self.max_tokens, self.swap, self.seed, self.epoch = max_tokens, swap, seed, epoch
        self.offsets, self.fragment_starts, self.document_of_fragment = (
            part.sentence_offsets,
            part.document_offsets,
            part.document_of_fragment,
        )
        self.num_documents = int(self.document_of_fragment[-1]) + 1 if len(self.document_of_fragment) else 0
        self.near = negatives == SAME_DOCUMENT or self.num_documents == 1
        # The first fragment of each document.
        self.first_fragments = np.searchsorted(self.document_of_fragment, np.arange(self.num_documents + 1))
        if self.near and not swap:
            counts = np.diff(self.fragment_starts)
            inside = np.arange(part.num_sentences) - np.repeat(self.fragment_starts[:-1], counts)
            self.positions = np.repeat(part.first_sentences, counts) + inside
            # Positions as one ascending list over all documents, each with a separate range.
            self.stride = int(self.positions.max(initial=0)) + 2 * FAR_SENTENCES + 1
            self.ranks = np.repeat(self.document_of_fragment, counts) * self.stride + self.positions

    def _draw(self, purpose: str, sentences: Ints) -> npt.NDArray[np.float64]:
        """Return a number in [0, 1) for the chunk that starts with each sentence."""
        return random.uniform(random.bits(random.key("pairs", purpose, self.seed, self.epoch), sentences))

    def plan(self, first_fragment: int, last_fragment: int) -> PairPlan:
        """Return the pairs of the fragments `first_fragment` to `last_fragment`, the latter excluded."""
        first, last = int(self.fragment_starts[first_fragment]), int(self.fragment_starts[last_fragment])
        starts = np.arange(first, last)
        fragment = np.repeat(
            np.arange(first_fragment, last_fragment), np.diff(self.fragment_starts[first_fragment : last_fragment + 1])
        )
        short = self._draw("short", starts) < SHORT_PROBABILITY
        lengths = 2 + (self._draw("length", starts) * (self.max_tokens - 1)).astype(np.int64)
        targets = np.where(short, lengths, self.max_tokens)
        # The chunk ends with the first sentence that reaches the target, or with the fragment.
        stops = np.minimum(self._reaching(starts, targets), self.fragment_starts[fragment + 1])
        a_ends = starts + 1 + (self._draw("cut", starts) * (stops - starts - 1)).astype(np.int64)
        is_single_sentence = stops - starts == 1
        is_random = self._draw("next", starts) < RANDOM_NEXT_PROBABILITY
        follows = stops if self.swap else np.where(is_single_sentence | is_random, a_ends, stops)
        at = _chain(follows - first)
        starts, fragment, targets, stops, a_ends = (array[at] for array in (starts, fragment, targets, stops, a_ends))
        if self.swap:
            return self._ordered(starts, a_ends, stops, is_random[at])
        return self._next(starts, fragment, targets, stops, a_ends, is_random[at])

    def _reaching(self, begins: Ints, tokens: Ints) -> Ints:
        """Return the sentence after the one that completes `tokens` tokens from `begins` on."""
        return np.searchsorted(self.offsets, self.offsets[begins] + tokens)

    def _ordered(self, starts: Ints, a_ends: Ints, stops: Ints, swapped: npt.NDArray[np.bool_]) -> PairPlan:
        """Return pairs for sentence order prediction; a chunk of one sentence has none."""
        pair = stops - starts >= 2
        lost = int((self.offsets[stops] - self.offsets[starts])[~pair].sum())
        starts, a_ends, stops, swapped = starts[pair], a_ends[pair], stops[pair], swapped[pair]
        a = np.where(swapped, a_ends, starts), np.where(swapped, stops, a_ends)
        b = np.where(swapped, starts, a_ends), np.where(swapped, a_ends, stops)
        return self._cut(
            starts, a, b, np.where(swapped, NOT_NEXT, IS_NEXT), own_b=np.ones(len(starts), bool), lost=lost
        )

    def _next(
        self, starts: Ints, fragment: Ints, targets: Ints, stops: Ints, a_ends: Ints, is_random: npt.NDArray[np.bool_]
    ) -> PairPlan:
        """Return pairs for next sentence prediction."""
        is_single_sentence = stops - starts == 1
        drawn = np.flatnonzero(is_single_sentence | is_random)
        b_begins, b_stops, label = a_ends.copy(), stops.copy(), np.full(len(starts), IS_NEXT)
        begins, ends, same = self._random_segments(starts[drawn], stops[drawn], fragment[drawn])
        wanted = targets[drawn] - (self.offsets[a_ends[drawn]] - self.offsets[starts[drawn]])
        b_begins[drawn] = begins
        b_stops[drawn] = np.minimum(self._reaching(begins, np.maximum(wanted, 1)), ends)
        label[drawn] = NOT_NEXT
        return self._cut(
            starts, (starts, a_ends), (b_begins, b_stops), label,
            own_b=label == IS_NEXT, forced=int(is_single_sentence.sum()), same_document=same,
        )  # fmt: skip

    def _random_segments(self, starts: Ints, stops: Ints, fragment: Ints) -> tuple[Ints, Ints, int]:
        """Return the first sentence and the limit of a random B per chunk, and the number from the same document."""
        if not self.near:
            return *self._in_other_document(starts, fragment), 0
        low, high, document_start, choices = self._far_sentences(starts, stops, fragment)
        if self.num_documents == 1 and not choices.all():
            raise DataError(
                f"found one document of {len(self.positions)} sentences, expected more: a random next sentence must be "
                f"at least {FAR_SENTENCES} away from its pair. Try: more text, or --objective mlm"
            )
        begins, ends = np.zeros_like(starts), np.zeros_like(starts)
        far, none = np.flatnonzero(choices), np.flatnonzero(choices == 0)
        begins[none], ends[none] = self._in_other_document(starts[none], fragment[none])
        places = (self._draw("sentence", starts[far]) * choices[far]).astype(np.int64) + document_start[far]
        before = places < low[far]
        places = np.where(before, places, places + high[far] - low[far])
        # B stays within its fragment, and before the sentences that are too near.
        fragment_ends = self.fragment_starts[np.searchsorted(self.fragment_starts, places, side="right")]
        begins[far], ends[far] = places, np.where(before, np.minimum(low[far], fragment_ends), fragment_ends)
        return begins, ends, len(far)

    def _in_other_document(self, starts: Ints, fragment: Ints) -> tuple[Ints, Ints]:
        """Return a random sentence of a different document for each chunk, and the end of its fragment."""
        document = self.document_of_fragment[fragment]
        low, high = self.first_fragments[document], self.first_fragments[document + 1]
        other = (self._draw("document", starts) * (len(self.document_of_fragment) - (high - low))).astype(np.int64)
        other += (high - low) * (other >= low)
        first, ends = self.fragment_starts[other], self.fragment_starts[other + 1]
        return first + (self._draw("sentence", starts) * (ends - first)).astype(np.int64), ends

    def _far_sentences(self, starts: Ints, stops: Ints, fragment: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Return the range of sentences that are too near, the start of the document, and the number of far ones."""
        document = self.document_of_fragment[fragment]
        document_start = self.fragment_starts[self.first_fragments[document]]
        document_stop = self.fragment_starts[self.first_fragments[document + 1]]
        base = document * self.stride
        low = np.searchsorted(self.ranks, base + self.positions[starts] - FAR_SENTENCES, side="right")
        low = np.maximum(low, document_start)
        high = np.minimum(np.searchsorted(self.ranks, base + self.positions[stops - 1] + FAR_SENTENCES), document_stop)
        return low, high, document_start, (low - document_start) + (document_stop - high)

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
        """Return the segments in tokens, truncated to the maximum; `own_b`: whether B comes from the chunk itself."""
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
        """Return how many of `counts` tokens are removed from the front: one coin, a bit of a hash, per token."""
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
    """Return the indices 0, follows[0], follows[follows[0]] and so on, up to the end of the list."""
    following, at, end = follows.tolist(), 0, len(follows)
    places = []
    while at < end:
        places.append(at)
        at = following[at]
    return np.array(places, dtype=np.int64)


def truncation(a: Ints, b: Ints, excess: Ints) -> tuple[Ints, Ints]:
    """Return the tokens that each segment loses if the longer one loses a token `excess` times; B loses ties."""
    from_a = np.minimum(excess, np.maximum(a - b, 0))
    from_b = np.minimum(excess, np.maximum(b - a, 0))
    rest = excess - from_a - from_b
    return from_a + rest // 2, from_b + rest - rest // 2


def label_counts(plan: PairPlan) -> dict[str, Any]:
    """Return the number of pairs of each kind, for reports."""
    not_next = int(plan.label.sum())
    return {
        "pairs": len(plan),
        "is_next": len(plan) - not_next,
        "not_next": not_next,
        "forced_random": plan.forced,
    }

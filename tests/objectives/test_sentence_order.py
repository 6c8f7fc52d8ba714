"""Pairs of the objective mlm+sop (consecutive segments, swapped or not), and rows of the objective mlm."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings

from bertsmith.objectives.pairs import (
    plan_rows,
)
from support.pairs import (
    PieceOf,
    any_corpus,
    documents_of,
    lengths_of_examples,
    part_of,
    planned,
    rows_of,
    seeds,
    whole,
)


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_sentence_order_swaps_consecutive_segments(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        place = 0
        singles = set(np.flatnonzero(np.ones(part.num_sentences)).tolist())
        starts = part.sentence_offsets.tolist()
        for a_start, a_stop, b_start, b_stop, label in rows_of(whole(part, length, seed=seed, swap=True)):
            if label == 0:
                assert a_stop == b_start
            else:
                assert b_stop == a_start
            begin, end = min(a_start, b_start), max(a_stop, b_stop)
            assert begin >= place, "text is used twice"
            place = end
            singles -= set(range(starts.index(begin), starts.index(end)))
        # What no pair holds are chunks of one sentence: it is as long as a target, or the last of its piece.
        for sentence in singles:
            is_last = sentence + 1 in part.document_offsets
            assert is_last or starts[sentence + 1] - starts[sentence] >= 2


def test_sentence_order_is_swapped_half_of_the_time() -> None:
    with part_of(documents_of([[7, 9, 4, 12, 6] * 4] * 800)) as part:
        labels = planned(part, 40, swap=True).label
    assert len(labels) > 2_000
    assert abs(int(labels.sum()) - len(labels) / 2) < 4 * math.sqrt(len(labels) / 4)


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_rows_of_mlm_hold_every_token_exactly_once(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        plan = plan_rows(part, length, seed=seed, epoch=1)
        assert plan.a_start[0] == 0 and plan.a_stop[-1] == part.num_tokens
        assert (plan.a_start[1:] == plan.a_stop[:-1]).all()
        sizes = plan.a_stop - plan.a_start
        assert (sizes > 0).all() and (sizes <= length - 2).all()
        assert (sizes[1:-1] == length - 2).all()
        assert (plan.b_stop == plan.b_start).all()

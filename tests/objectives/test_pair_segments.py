"""The segments of a pair: whole sentences of one document, cut to length as google-research/bert cuts them."""

from __future__ import annotations

import math
import random as python_random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.objectives import pairs
from bertsmith.objectives.pairs import (
    OTHER_DOCUMENT,
    SAME_DOCUMENT,
    plan_epoch,
    truncation,
)
from support.pairs import (
    PieceOf,
    any_corpus,
    documents_of,
    documents_of_sentences,
    lengths_of_examples,
    mixed_documents,
    one_document,
    part_of,
    planned,
    rows_of,
    seeds,
    several_documents,
    truncated_by_the_loop,
    whole,
)


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_segments_are_inside_the_part_and_fit_the_example(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        for a_start, a_stop, b_start, b_stop, label in rows_of(planned(part, length, seed=seed)):
            assert 0 <= a_start < a_stop <= part.num_tokens
            assert 0 <= b_start < b_stop <= part.num_tokens
            assert (a_stop - a_start) + (b_stop - b_start) <= length - 3
            assert label in (0, 1)


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_segments_are_whole_sentences_of_one_piece_before_truncation(
    pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part:
        sentence_ends = set(part.sentence_offsets.tolist())
        piece_ends = part.sentence_offsets[part.document_offsets]
        for a_start, a_stop, b_start, b_stop, label in rows_of(whole(part, length, seed=seed)):
            assert {a_start, a_stop, b_start, b_stop} <= sentence_ends
            for start, stop in ((a_start, a_stop), (b_start, b_stop)):
                first, last = np.searchsorted(piece_ends, (start, stop - 1), side="right")
                assert first == last, "a segment reaches over the end of its piece"
            if label == pairs.IS_NEXT:
                assert a_stop == b_start, "the next sentence does not begin where A ends"


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_unused_sentences_are_put_back_so_that_the_text_is_used_exactly_once(
    pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part:
        place = 0
        for a_start, a_stop, _, b_stop, label in rows_of(whole(part, length, seed=seed)):
            assert a_start == place
            place = b_stop if label == pairs.IS_NEXT else a_stop
        assert place == part.num_tokens


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_truncation_leaves_the_lengths_of_the_original_loop(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        before, after = rows_of(whole(part, length, seed=seed)), rows_of(planned(part, length, seed=seed))
        for long, short in zip(before, after, strict=True):
            assert long[0] <= short[0] and short[1] <= long[1]
            assert long[2] <= short[2] and short[3] <= long[3]
            assert long[4] == short[4]
            expected = truncated_by_the_loop(long[1] - long[0], long[3] - long[2], length - 3)
            assert (short[1] - short[0], short[3] - short[2]) == expected


@given(st.integers(1, 200), st.integers(1, 200), st.integers(2, 300))
def test_the_closed_form_of_truncation_is_the_loop(a: int, b: int, maximum: int) -> None:
    from_a, from_b = truncation(a, b, max(a + b - maximum, 0))
    assert (a - from_a, b - from_b) == truncated_by_the_loop(a, b, maximum)


def test_tokens_are_cut_from_either_end_with_equal_probability() -> None:
    with part_of(documents_of([[40, 40]] * 400)) as part:
        long, short = whole(part, 35), planned(part, 35)
    lost_in_front = int((short.a_start - long.a_start).sum())
    lost = int(((long.a_stop - long.a_start) - (short.a_stop - short.a_start)).sum())
    assert lost > 5_000
    assert abs(lost_in_front - lost / 2) < 4 * math.sqrt(lost / 4)


@settings(max_examples=25, deadline=None)
@given(any_corpus, lengths_of_examples, seeds, st.sampled_from(["mlm+nsp", "mlm", "mlm+sop", "nsp"]))
def test_a_plan_is_a_function_of_seed_and_epoch(pieces: list[PieceOf], length: int, seed: int, objective: str) -> None:
    with part_of(pieces) as part:
        first = rows_of(plan_epoch(part, objective, length, seed=seed, epoch=3))
        plan_epoch(part, objective, length, seed=seed + 1, epoch=5)
        python_random.random(), np.random.random()
        assert rows_of(plan_epoch(part, objective, length, seed=seed, epoch=3)) == first


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm", "mlm+sop", "nsp"])
def test_epochs_and_seeds_differ(objective: str) -> None:
    with part_of(documents_of([[7, 9, 4, 12, 6] * 4] * 20)) as part:
        plans = [
            tuple(rows_of(plan_epoch(part, objective, 32, seed=seed, epoch=epoch)))
            for seed in range(3)
            for epoch in range(3)
        ]
    # Rows of mlm differ by where the first one ends, one of 30 places here: some of nine agree.
    assert len(set(plans)) == len(plans) if objective != "mlm" else len(set(plans)) > 4


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm+sop", "nsp", "mlm"])
@pytest.mark.parametrize("negatives", [OTHER_DOCUMENT, SAME_DOCUMENT])
@settings(max_examples=20, deadline=None)
@given(pieces=st.one_of(several_documents, mixed_documents(), one_document()), length=lengths_of_examples, seed=seeds)
def test_what_is_left_out_is_what_no_chunk_holds_of_its_own(
    objective: str, negatives: str, pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part:
        plan = plan_epoch(part, objective, length, negatives=negatives, seed=seed, epoch=1)
        held = [0] * part.num_tokens
        for a_start, a_stop, b_start, b_stop, label in rows_of(plan):
            own_b = label == pairs.IS_NEXT or objective == "mlm+sop"
            for token in [*range(a_start, a_stop), *(range(b_start, b_stop) if own_b else ())]:
                held[token] += 1
        assert set(held) <= {0, 1}, "text is used twice"
        assert plan.left_out == held.count(0)
        if objective == "mlm":
            assert plan.left_out == 0
        same = 0
        documents = documents_of_sentences(part)
        for a_start, _, b_start, _, label in rows_of(plan):
            a, b = np.searchsorted(part.sentence_offsets, (a_start, b_start), side="right") - 1
            same += label == pairs.NOT_NEXT and documents[a] == documents[b]
        assert plan.same_document == (0 if objective == "mlm+sop" else same)


def test_a_part_without_text_has_no_pairs() -> None:
    with part_of([]) as part:
        for swap in (False, True):
            plan = planned(part, 32, swap=swap)
            assert len(plan) == plan.forced == plan.same_document == plan.left_out == 0

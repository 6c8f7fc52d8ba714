"""Where the second segment of a random pair comes from, and how many pairs are random."""

from __future__ import annotations

import math
import random as python_random
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus.store import TokenPart
from bertsmith.errors import DataError
from bertsmith.objectives import pairs
from bertsmith.objectives.pairs import (
    SAME_DOCUMENT,
    label_counts,
    plan_rows,
)
from support.pairs import (
    PieceOf,
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
    whole,
)


@settings(max_examples=40, deadline=None)
@given(several_documents, lengths_of_examples, seeds)
def test_a_random_next_is_of_another_document(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        ends = part.sentence_offsets[part.document_offsets]
        for a_start, _, b_start, _, label in rows_of(planned(part, length, seed=seed)):
            of_a, of_b = np.searchsorted(ends, (a_start, b_start), side="right") - 1
            same = part.document_ids[of_a] == part.document_ids[of_b]
            assert same == (label == pairs.IS_NEXT)


def test_the_pieces_of_one_document_are_not_other_documents() -> None:
    pieces = [("book", 0, [5] * 6), ("book", 40, [5] * 6), ("other", 0, [5] * 6)]
    with part_of(pieces) as part:
        other_starts = 60
        for seed in range(20):
            for a_start, _, b_start, _, label in rows_of(planned(part, 16, seed=seed)):
                if label == pairs.NOT_NEXT:
                    assert (a_start >= other_starts) != (b_start >= other_starts)


def positions_of(part: TokenPart) -> list[int]:
    """For each token of a part of one document, the position of its sentence in the document."""
    positions = []
    for piece in range(part.num_fragments):
        first, last = int(part.document_offsets[piece]), int(part.document_offsets[piece + 1])
        for sentence in range(first, last):
            length = int(part.sentence_offsets[sentence + 1] - part.sentence_offsets[sentence])
            positions += [int(part.first_sentences[piece]) + sentence - first] * length
    return positions


@settings(max_examples=40, deadline=None)
@given(one_document(), st.integers(8, 32), seeds)
def test_in_one_document_a_random_next_is_50_sentences_away(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        positions = positions_of(part)
        found = 0
        for a_start, a_stop, b_start, b_stop, label in rows_of(whole(part, length, seed=seed)):
            if label == pairs.NOT_NEXT:
                of_a, of_b = positions[a_start:a_stop], positions[b_start:b_stop]
                assert max(of_b) <= min(of_a) - 50 or min(of_b) >= max(of_a) + 50
                found += 1
        assert found > 0


def test_in_one_document_a_random_next_comes_from_before_and_from_after() -> None:
    with part_of([("book", 0, [4] * 3000)]) as part:
        plan = planned(part, 32)
        middle = (plan.label == pairs.NOT_NEXT) & (plan.a_start > 4_000) & (plan.a_start < 8_000)
        before = int((plan.b_start[middle] < plan.a_start[middle]).sum())
        count = int(middle.sum())
    assert count > 50
    assert 0.2 * count < before < 0.8 * count


def test_a_document_too_short_for_random_nexts_is_an_error_that_says_what_to_do() -> None:
    with part_of([("note", 0, [6] * 60)]) as part:
        with pytest.raises(DataError, match=r"one document of 60 sentences.*50 away.*--objective mlm"):
            planned(part, 32)
        assert len(plan_rows(part, 32, seed=0, epoch=0)) > 0
        assert len(planned(part, 32, swap=True)) > 0


def test_one_long_document_or_two_short_ones_can_be_paired() -> None:
    with part_of([("book", 0, [6] * 151)]) as part:
        assert len(planned(part, 128)) > 0
    with part_of(documents_of([[6], [6]])) as part:
        assert label_counts(planned(part, 128)) == {"pairs": 2, "is_next": 0, "not_next": 2, "forced_random": 2}


def test_half_of_the_pairs_that_are_free_are_next() -> None:
    draw = python_random.Random(1)
    documents = [[draw.randint(3, 25) for _ in range(draw.randint(1, 40))] for _ in range(600)]
    with part_of(documents_of(documents)) as part:
        plan = planned(part, 64)
    counts = label_counts(plan)
    free = counts["pairs"] - counts["forced_random"]
    assert counts["pairs"] == counts["is_next"] + counts["not_next"] == len(plan)
    assert counts["forced_random"] > 0 and free > 2_000
    assert abs(counts["is_next"] - free / 2) < 4 * math.sqrt(free / 4)


@settings(max_examples=60, deadline=None)
@given(mixed_documents(), lengths_of_examples, seeds)
def test_same_document_negatives_are_far_away_in_it_where_they_can_be(
    pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part, mock.patch.object(pairs, "SHORT_PROBABILITY", 0.0):
        plan = whole(part, length, seed=seed, negatives=SAME_DOCUMENT)
        cut = planned(part, length, seed=seed, negatives=SAME_DOCUMENT)
        documents = documents_of_sentences(part)
        offsets, ends = part.sentence_offsets.tolist(), part.document_offsets.tolist()
        positions = [first + place for _, first, lengths in pieces for place in range(len(lengths))]
        number = {offset: sentence for sentence, offset in enumerate(offsets)}
        same = 0
        for a_start, _, b_start, b_stop, label in rows_of(plan):
            if label == pairs.IS_NEXT:
                continue
            # Without short targets the chunk of A is known: up to the sentence that reaches the maximum.
            first = number[a_start]
            last = next(
                one for one in range(first, len(offsets)) if one + 1 in ends or offsets[one + 1] - a_start >= length - 3
            )

            def far(sentence: int, low: int = positions[first], high: int = positions[last]) -> bool:
                return positions[sentence] <= low - 50 or positions[sentence] >= high + 50

            of_b = range(number[b_start], number[b_stop])
            if any(far(one) for one in range(len(documents)) if documents[one] == documents[first]):
                assert all(documents[one] == documents[first] and far(one) for one in of_b)
                same += 1
            else:
                assert all(documents[one] != documents[first] for one in of_b)
        assert plan.same_document == cut.same_document == same


def test_same_document_negatives_are_both_found_and_not_found() -> None:
    """Of three documents one is too short: its random pairs come from the others."""
    with part_of([("long", 0, [5] * 400), ("short", 0, [5] * 40), ("longer", 0, [5] * 500)]) as part:
        plan = planned(part, 32, negatives=SAME_DOCUMENT)
        other = planned(part, 32)
    short = (plan.a_start >= 2_000) & (plan.a_start < 2_200) & (plan.label == pairs.NOT_NEXT)
    assert short.sum() > 0 and plan.same_document == plan.label.sum() - short.sum() > 50
    assert other.same_document == 0 and other.label.sum() > 50

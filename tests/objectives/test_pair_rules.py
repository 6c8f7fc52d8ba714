"""A plan of pairs is what the rules give, chunk by chunk, with the same random draws."""

from __future__ import annotations

import random as python_random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus.store import TokenPart
from bertsmith.errors import DataError
from bertsmith.objectives import pairs
from bertsmith.objectives.pairs import (
    OTHER_DOCUMENT,
    SAME_DOCUMENT,
    plan_pairs,
)
from bertsmith.runtime import random
from support.pairs import (
    PieceOf,
    lengths_of_examples,
    mixed_documents,
    one_document,
    part_of,
    rows_of,
    seeds,
    several_documents,
)


@dataclass
class Literal:
    """An epoch's pairs, and what is counted beside them."""

    rows: list[tuple[int, int, int, int, int]]
    forced: int = 0
    same_document: int = 0
    left_out: int = 0


def literal_plan(
    pieces: Sequence[PieceOf], length: int, *, swap: bool, negatives: str, seed: int, epoch: int
) -> Literal:
    """The rules of the module, one chunk after the other, in plain Python, fed with the same draws."""
    lengths = [tokens for _, _, of_piece in pieces for tokens in of_piece]
    piece_of = [number for number, piece in enumerate(pieces) for _ in piece[2]]
    document = [pieces[number][0] for number in piece_of]
    position = [first + place for _, first, of_piece in pieces for place in range(len(of_piece))]
    sentences = range(len(lengths))
    begin_of = [0, *accumulate(lengths)]
    first_of = [piece_of.index(number) for number in range(len(pieces))]
    in_documents = {name: [one for one in sentences if document[one] == name] for name in set(document)}
    maximum = length - 3
    result = Literal([])

    @cache
    def draws(purpose: str) -> list[int]:
        return random.bits(random.key("pairs", purpose, seed, epoch), np.arange(len(lengths))).tolist()

    def draw(purpose: str, sentence: int) -> float:
        return (draws(purpose)[sentence] >> 11) / 2**53

    @cache
    def coins(segment: str, sentence: int, first: int) -> int:
        return int(random.bits(random.key("coins", segment, seed, epoch), sentence, first))

    def coin(segment: str, sentence: int, number: int) -> int:
        return coins(segment, sentence, number // 64 * 64) >> (number % 64) & 1

    def other_document(start: int) -> int:
        others = [number for number in range(len(pieces)) if pieces[number][0] != document[start]]
        number = others[int(draw("document", start) * len(others))]
        return first_of[number] + int(draw("sentence", start) * len(pieces[number][2]))

    def add(start: int, a: range, b: range, label: int, own_b: bool) -> None:
        """Take tokens from the longer segment, at a random end, until both fit."""
        span_a, span_b = [begin_of[a.start], begin_of[a.stop]], [begin_of[b.start], begin_of[b.stop]]
        taken = {"a": 0, "b": 0}
        while span_a[1] - span_a[0] + span_b[1] - span_b[0] > maximum:
            segment, span = ("a", span_a) if span_a[1] - span_a[0] > span_b[1] - span_b[0] else ("b", span_b)
            if coin(segment, start, taken[segment]):
                span[0] += 1
            else:
                span[1] -= 1
            taken[segment] += 1
            result.left_out += segment == "a" or own_b
        result.rows.append((*span_a, *span_b, label))

    start = 0
    while start < len(lengths):
        target = maximum
        if draw("short", start) < 0.1:
            target = 2 + int(draw("length", start) * (maximum - 1))
        chunk = [start]
        while sum(lengths[one] for one in chunk) < target:
            following = chunk[-1] + 1
            if following == len(lengths) or piece_of[following] != piece_of[start]:
                break
            chunk.append(following)
        stop = chunk[-1] + 1
        a_end = start + 1 + int(draw("cut", start) * (len(chunk) - 1))
        tails = draw("next", start) < 0.5
        if swap:
            if len(chunk) == 1:
                result.left_out += lengths[start]
            else:
                a, b = range(start, a_end), range(a_end, stop)
                add(start, *((b, a) if tails else (a, b)), int(tails), True)
            start = stop
        elif len(chunk) > 1 and not tails:
            add(start, range(start, a_end), range(a_end, stop), 0, True)
            start = stop
        else:
            result.forced += len(chunk) == 1
            far = []
            if negatives == SAME_DOCUMENT or len(in_documents) == 1:
                far = [
                    one
                    for one in in_documents[document[start]]
                    if position[one] <= position[start] - 50 or position[one] >= position[chunk[-1]] + 50
                ]
            if far:
                begin = far[int(draw("sentence", start) * len(far))]
                result.same_document += 1
            else:
                begin = other_document(start)
            wanted = target - (begin_of[a_end] - begin_of[start])
            end = begin + 1
            while begin_of[end] - begin_of[begin] < wanted:
                if end == len(lengths) or piece_of[end] != piece_of[begin] or (far and end not in far):
                    break
                end += 1
            add(start, range(start, a_end), range(begin, end), 1, False)
            start = a_end
    return result


def check_against_the_literal_plan(part: TokenPart, pieces: Sequence[PieceOf], length: int, **options: Any) -> Literal:
    expected = literal_plan(pieces, length, **options)
    found = plan_pairs(part, length, **options)
    assert rows_of(found) == expected.rows
    assert (found.forced, found.same_document, found.left_out) == (
        *(expected.forced, expected.same_document, expected.left_out),
    )
    for size in (1, 7, 40):
        with mock.patch.object(pairs, "SENTENCES_AT_ONCE", size):
            in_blocks = plan_pairs(part, length, **options)
        assert rows_of(in_blocks) == expected.rows, f"blocks of {size} sentences"
        assert (in_blocks.forced, in_blocks.same_document, in_blocks.left_out) == (
            *(found.forced, found.same_document, found.left_out),
        )
    return expected


@pytest.mark.parametrize("negatives", [OTHER_DOCUMENT, SAME_DOCUMENT])
@pytest.mark.parametrize("swap", [False, True])
@settings(max_examples=40, deadline=None)
@given(
    pieces=st.one_of(several_documents, mixed_documents(), one_document()),
    # A last one so long that its truncation takes more coins than a word of bits has.
    length=st.one_of(lengths_of_examples, st.sampled_from([128, 200])),
    seed=seeds,
    epoch=st.integers(0, 3),
    stretched=st.sampled_from([1, 1, 1, 12]),
)
def test_a_plan_is_that_of_the_rules_one_after_the_other(
    negatives: str, swap: bool, pieces: list[PieceOf], length: int, seed: int, epoch: int, stretched: int
) -> None:
    pieces = [(name, first, [stretched * tokens for tokens in lengths]) for name, first, lengths in pieces]
    with part_of(pieces) as part:
        options: dict[str, Any] = {"swap": swap, "negatives": negatives, "seed": seed, "epoch": epoch}
        try:
            check_against_the_literal_plan(part, pieces, length, **options)
        except DataError:
            assert len({name for name, _, _ in pieces}) == 1 and not swap
            assert length > 100, "220 sentences are enough for short examples"


def test_the_literal_plan_meets_every_case() -> None:
    """Forced pairs, far ones of the same document and others for want of them, cut tokens and whole pairs."""
    draw = python_random.Random(5)
    pieces = [
        (f"document-{number}", first, [draw.randint(1, 20) for _ in range(size)])
        for number, first, size in [(0, 0, 90), (0, 130, 40), (1, 0, 30), (2, 0, 1), (3, 5, 160)]
    ]
    with part_of(pieces) as part:
        found = check_against_the_literal_plan(part, pieces, 32, swap=False, negatives=SAME_DOCUMENT, seed=0, epoch=0)
    not_next = sum(label for *_, label in found.rows)
    assert 0 < found.forced < not_next and 0 < found.same_document < not_next < len(found.rows)
    sizes = [a_stop - a_start + b_stop - b_start for a_start, a_stop, b_start, b_stop, _ in found.rows]
    assert found.left_out > 0 and min(sizes) < max(sizes) == 29

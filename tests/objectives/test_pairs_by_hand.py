"""Plans of pairs worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np

from bertsmith.objectives import pairs
from bertsmith.objectives.pairs import (
    PairPlan,
)
from bertsmith.runtime import random
from support.pairs import PieceOf, part_of, planned, rows_of


class FixedDraws:
    """Stands in for `runtime.random`: the draw of a purpose is one number, or one for each sentence.

    Coins are words of bits, the first coin the lowest bit; 1 takes a token from the front.
    """

    uniform = staticmethod(random.uniform)

    def __init__(self, coins: dict[str, int], **draws: float | dict[int, float]) -> None:
        self.coins, self.draws = coins, draws

    @staticmethod
    def key(*coordinates: Any) -> Any:
        return coordinates

    def bits(self, base: Any, sentences: Any, *_: Any) -> random.Bits:
        if base[0] == "coins":
            return np.full(np.shape(sentences), self.coins[base[1]], np.uint64)
        draw = self.draws[base[1]]
        values = [draw if isinstance(draw, float) else draw.get(one, 0.9) for one in np.asarray(sentences).tolist()]
        return np.array([int(value * 2**53) << 11 for value in values], np.uint64)


def by_hand(pieces: Sequence[PieceOf], maximum: int, *, coins: tuple[int, int] = (0, 0), **options: Any) -> PairPlan:
    """The plan where all draws are 0.9, so that no target is short and no B random, except those that are given."""
    draws = {name: options.pop(name, 0.9) for name in ("short", "length", "cut", "next", "document", "sentence")}
    fixed = FixedDraws(dict(zip("ab", coins, strict=True)), **draws)
    with part_of(pieces) as part, mock.patch.object(pairs, "random", fixed):
        return planned(part, maximum + 3, **options)


TWO = [("x", 0, [3, 4, 2, 5]), ("y", 0, [6, 3])]
"""Sentences 0 to 3 are tokens 0-3, 3-7, 7-9 and 9-14; 4 and 5 are tokens 14-20 and 20-23."""


def test_next_sentences_by_hand() -> None:
    # x: 3 + 4 + 2 + 5 reach 10; half of three cuts is one: A = 3 + 4, B = 2 + 5. Four too many: B, A, B, A lose one.
    plan = by_hand(TWO, 10, cut=0.5, coins=(0b01, 0b00))
    assert rows_of(plan) == [(1, 6, 7, 12, 0), (14, 20, 20, 23, 0)]
    assert (plan.forced, plan.same_document, plan.left_out) == (0, 0, 4)


def test_random_nexts_by_hand() -> None:
    plan = by_hand(TWO, 10, cut=0.5, next=0.2, sentence=0.6, coins=(0b0, 0b10))
    assert rows_of(plan) == [
        (0, 7, 20, 23, 1),  # 0 and 1, then 3 more tokens from y's second sentence; 2 and 3 are put back
        (7, 9, 20, 23, 1),  # 2 of 2 and 3, y has no more than 3 tokens
        (9, 14, 20, 23, 1),  # 3 is alone
        (14, 19, 8, 13, 1),  # 4 and, for 4 tokens, 2 and 3: 6 + 7; B loses its end, A its end, B its front
        (20, 23, 7, 14, 1),  # 5 is alone, 7 tokens from 2 on
    ]
    assert (plan.forced, plan.same_document, plan.left_out) == (2, 0, 1)


def test_short_targets_by_hand() -> None:
    # 2 + 0.4 x 9 = 5 tokens: 3 + 4 reach them; then 2 + 5; then 6 alone, which takes 1 token at least; then 3 alone.
    plan = by_hand(TWO, 10, short=0.05, length=0.4, sentence=0.0)
    assert rows_of(plan) == [(0, 3, 3, 7, 0), (7, 9, 9, 14, 0), (14, 20, 0, 3, 1), (20, 23, 0, 3, 1)]
    assert (plan.forced, plan.same_document, plan.left_out) == (2, 0, 0)
    # A draw of 0.1 and a little is not short.
    assert rows_of(by_hand(TWO, 10, short=0.1000001, cut=0.5)) == rows_of(by_hand(TWO, 10, cut=0.5))


def test_sentence_order_by_hand() -> None:
    pieces = [*TWO, ("z", 0, [4])]
    plan = by_hand(pieces, 10, swap=True, cut=0.5, next={0: 0.2}, coins=(0b01, 0b00))
    assert rows_of(plan) == [(8, 13, 0, 5, 1), (14, 20, 20, 23, 0)]
    assert (plan.forced, plan.same_document, plan.left_out) == (0, 0, 4 + 4)


def test_far_sentences_by_hand() -> None:
    # Sentences of 2 tokens at 0 to 59 and 100 to 159; chunks of four, A is one of them, and B wants three.
    pieces = [("book", 0, [2] * 60), ("book", 100, [2] * 60)]
    for sentence, begin, end in (
        (0.0, 0, 3),  # the first one; of 55 to 58 those up to 5 are far, and those from 108 on
        (0.09, 5, 6),  # 0.09 x (6 + 52) = 5: the next one is too near
        (0.11, 68, 71),  # 0.11 x 58 = 6: 108
        (0.99, 119, 120),  # the last one
    ):
        plan = by_hand(pieces, 8, next=0.2, cut=0.0, sentence=sentence)
        rows = {a_start: row for a_start, *row in rows_of(plan)}
        assert rows[110] == [112, 2 * begin, 2 * end, 1]
        assert plan.same_document == len(plan) == 120 and plan.forced == 2 and plan.left_out == 0

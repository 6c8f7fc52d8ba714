"""Targets, cuts, swaps and random nexts in large numbers, within bounds that chance exceeds once in a million runs."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from bertsmith.objectives import pairs
from bertsmith.objectives.pairs import (
    label_counts,
    plan_pairs,
)
from bertsmith.runtime import random
from support.chance import STANDARD_DEVIATIONS, check_share, check_uniform, chi_square_limit
from support.pairs import documents_of, part_of, rows_of, whole


def test_a_tenth_of_the_targets_is_short_and_those_are_uniform() -> None:
    """Sentences of one token make a chunk as long as its target, exactly."""
    length, maximum = 24, 21
    with part_of(documents_of([[1] * 4_000] * 30)) as part:
        plan = whole(part, length)
        ends = set(part.sentence_offsets[part.document_offsets].tolist())
    chosen = [row for row in rows_of(plan) if row[4] == pairs.IS_NEXT and row[3] not in ends]
    totals = Counter(b_stop - a_start for a_start, _, _, b_stop, _ in chosen)
    assert set(totals) <= set(range(2, maximum + 1))
    short = sum(count for total, count in totals.items() if total < maximum)
    expected = 0.1 * (1 - 1 / (maximum - 1))
    assert abs(short - expected * len(chosen)) < 4 * math.sqrt(len(chosen) * expected * (1 - expected))
    by_total = [totals[total] for total in range(2, maximum)]
    mean = short / len(by_total)
    chi_square = sum((count - mean) ** 2 / mean for count in by_total)
    assert chi_square < chi_square_limit(len(by_total) - 1)


def equal_sentences(documents: int, sentences: int, tokens: int) -> Any:
    """What a plan reads of a part: so many documents of so many sentences of so many tokens."""
    total = documents * sentences
    return SimpleNamespace(
        sentence_offsets=np.arange(total + 1) * tokens,
        document_offsets=np.arange(documents + 1) * sentences,
        document_of_fragment=np.arange(documents),
        first_sentences=np.zeros(documents, np.int64),
        num_sentences=total,
        num_fragments=documents,
        num_tokens=total * tokens,
    )


def check_targets_and_swaps(pairs_at_least: int) -> None:
    """Sentences of one token: a chunk is as long as its target, and sentence order shows all of it."""
    part = equal_sentences(10, pairs_at_least // 10 * 4, 1)
    plan = plan_pairs(part, 7, swap=True, seed=0, epoch=0)  # at most 4 tokens
    begin, end = np.minimum(plan.a_start, plan.b_start), np.maximum(plan.a_stop, plan.b_stop)
    whole_chunks = end % (part.num_tokens // 10) != 0
    assert whole_chunks.sum() >= len(plan) - 10 and len(plan) >= pairs_at_least
    targets = (end - begin)[whole_chunks]
    counts = np.bincount(targets, minlength=5)
    assert counts[:2].sum() == 0 and len(counts) == 5
    # A third of the short targets is the maximum itself.
    check_share("short", int(counts[2:4].sum()), len(targets), 0.1 * 2 / 3)
    check_uniform("short lengths", counts[2:4].tolist())
    check_share("swapped", int(plan.label.sum()), len(plan), 0.5)
    first = np.where(plan.label == 1, plan.b_stop - plan.b_start, plan.a_stop - plan.a_start)[whole_chunks]
    check_uniform("cuts", np.bincount(first[targets == 4], minlength=4)[1:].tolist())


def check_nexts(free_at_least: int) -> None:
    """Sentences of two tokens, and targets of three: two sentences, or one by force where the target is short."""
    plan = plan_pairs(equal_sentences(10, free_at_least * 16 // 100, 2), 6, swap=False, seed=0, epoch=0)
    free = len(plan) - plan.forced
    assert free >= free_at_least and plan.forced > 0
    check_share("next", label_counts(plan)["is_next"], free, 0.5)


def check_coins(coins_at_least: int) -> None:
    """Pairs of two sentences of 300 tokens lose 148 and 149 of them; from which end is one coin for each."""
    plan = plan_pairs(equal_sentences(coins_at_least // 125, 2, 300), 306, swap=True, seed=0, epoch=0)
    for start, stop in ((plan.a_start, plan.a_stop), (plan.b_start, plan.b_stop)):
        front = start % 300
        lost = front + 299 - (stop - 1) % 300
        assert set(lost.tolist()) < {148, 149} and lost.sum() >= coins_at_least
        check_share("front", int(front.sum()), int(lost.sum()), 0.5)
        # Each coin on its own: the fronts of pairs vary as sums of so many coins do.
        variance = float(((front - lost / 2) ** 2).mean()) / (float(lost[0]) / 4)
        assert abs(variance - 1) <= STANDARD_DEVIATIONS * math.sqrt(2 / len(plan)), f"variance {variance:.3f}"


def test_a_million_targets_cuts_and_swaps() -> None:
    check_targets_and_swaps(1_000_000)


def test_a_million_random_nexts() -> None:
    check_nexts(1_000_000)


def test_a_million_ends_of_truncation() -> None:
    check_coins(1_000_000)


def test_the_checks_of_draws_fail_for_other_shares() -> None:
    for name, value, check, message in (
        ("SHORT_PROBABILITY", 0.11, lambda: check_targets_and_swaps(200_000), "short: "),
        ("SHORT_PROBABILITY", 0.09, lambda: check_targets_and_swaps(200_000), "short: "),
        ("RANDOM_NEXT_PROBABILITY", 0.48, lambda: check_targets_and_swaps(100_000), "swapped: "),
        ("RANDOM_NEXT_PROBABILITY", 0.48, lambda: check_nexts(100_000), "next: "),
        ("RANDOM_NEXT_PROBABILITY", 0.52, lambda: check_nexts(100_000), "next: "),
    ):
        with mock.patch.object(pairs, name, value), pytest.raises(AssertionError, match=message):
            check()
    true_bits = random.bits
    with (
        mock.patch.object(random, "bits", lambda *arguments: true_bits(*arguments) | np.uint64(1)),
        pytest.raises(AssertionError, match="front: "),
    ):
        check_coins(1_000_000)
    with (
        mock.patch.object(random, "bits", lambda base, one, *_: true_bits(base, one)),
        pytest.raises(AssertionError, match="variance"),
    ):
        check_coins(1_000_000)

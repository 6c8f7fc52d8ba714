"""The audit of pairs, on plans whose answer is known."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.objectives import audit
from bertsmith.objectives.audit import audit_pairs
from bertsmith.objectives.pairs import IS_NEXT, NOT_NEXT, PairPlan, label_counts

Ints = npt.NDArray[np.int64]


def plan_of(a: npt.ArrayLike, b: npt.ArrayLike, label: npt.ArrayLike, **counts: int) -> PairPlan:
    """A plan of pairs of these lengths, one behind the other in the text."""
    lengths = np.stack([np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)], axis=1).reshape(-1)
    stops = np.cumsum(lengths)
    starts = stops - lengths
    return PairPlan(starts[::2], stops[::2], starts[1::2], stops[1::2], np.asarray(label, dtype=np.int64), **counts)


def audited(train: PairPlan, held_out: PairPlan, *, swap: bool = False) -> dict[str, Any]:
    """The audit as JSON."""
    return audit_pairs(train, held_out, swap=swap).to_dict()


def lengths_and_labels(seed: int, pairs: int, not_next: float = 0.5) -> tuple[Ints, Ints, Ints]:
    """Lengths and labels that know nothing of each other."""
    generator = np.random.default_rng(seed)
    a, b = generator.integers(1, 120, (2, pairs))
    return a, b, (generator.random(pairs) < not_next).astype(np.int64)


EMPTY = plan_of([], [], [])


def test_counts() -> None:
    train = plan_of([5, 6, 7], [8, 9, 10], [IS_NEXT, NOT_NEXT, NOT_NEXT], forced=1, same_document=2, left_out=40)
    found = audited(train, plan_of([5] * 4, [8] * 4, [NOT_NEXT, IS_NEXT, NOT_NEXT, NOT_NEXT]), swap=True)
    assert {key: value for key, value in found.items() if key != "length_only"} == {
        "pairs": 3,
        "is_next": 1,
        "not_next": 2,
        "forced_random": 1,
        "same_document_negatives": 2,
        "left_out_tokens": 40,
        "swap": True,
        "held_out_pairs": 4,
        "majority": 0.75,
    }
    assert label_counts(train).items() <= found.items()
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("labels", [(IS_NEXT, NOT_NEXT), (NOT_NEXT, IS_NEXT)])
@pytest.mark.parametrize("segment", [0, 1])
def test_a_length_that_gives_the_label_away_is_found(labels: tuple[int, int], segment: int) -> None:
    def made(seed: int) -> PairPlan:
        a, b, _ = lengths_and_labels(seed, 4_000)
        return plan_of(a, b, np.where((a, b)[segment] > 60, labels[0], labels[1]))

    found = audited(made(0), made(1))
    # The bounds are eighths of 119 lengths: one of them is 60 or next to it.
    assert found["length_only"]["value"] > 0.97
    assert found["length_only"]["low"] > 0.96 and found["majority"] < 0.55


def test_two_lengths_are_told_apart_however_rare_one_is() -> None:
    # All quantiles of A are the same number; the rare length still has a bin of its own, above it or below.
    for usual, rare in ((20, 21), (21, 20)):
        a = np.where(np.arange(1_000) % 20 == 0, rare, usual)
        # One long pair, so that no other fills the example.
        plan = plan_of(a, np.where(np.arange(1_000) == 1, 90, 9), np.where(a == rare, NOT_NEXT, IS_NEXT))
        found = audited(plan, plan)
        assert found["length_only"]["value"] == 1.0 and found["majority"] == 0.95


def test_a_pair_that_fills_the_example_is_told_from_one_that_does_not() -> None:
    def made(seed: int) -> PairPlan:
        generator = np.random.default_rng(seed)
        a = generator.integers(10, 100, 4_000)
        full = generator.random(4_000) < 0.5
        # A token short of full: no bin of A or B can see it.
        return plan_of(a, 125 - a - ~full, np.where(full, NOT_NEXT, IS_NEXT))

    assert audited(made(0), made(1))["length_only"]["value"] == 1.0


@pytest.mark.parametrize("not_next", [0.5, 0.7])
@pytest.mark.parametrize("train_pairs", [300, 20_000])
def test_lengths_that_know_nothing_give_the_majority(not_next: float, train_pairs: int) -> None:
    train, held_out = lengths_and_labels(0, train_pairs, not_next), lengths_and_labels(1, 2_000, not_next)
    found = audited(plan_of(*train), plan_of(*held_out))
    # A table learned from 300 pairs is noise, and costs something; it must not cost much.
    slack = 0.06 if train_pairs == 300 else 0.0
    assert found["length_only"]["low"] <= found["majority"] <= found["length_only"]["high"] + slack


def test_few_pairs_in_a_bin_do_not_turn_it() -> None:
    # One pair in a hundred has lengths that no other has; nine in ten of the rest are NOT_NEXT.
    labels = np.array([NOT_NEXT] * 90 + [IS_NEXT] * 10)
    train = plan_of([50] * 99 + [7], [30] * 99 + [3], labels)
    held_out = plan_of([7] * 10, [3] * 10, [NOT_NEXT] * 9 + [IS_NEXT])
    assert audited(train, held_out)["length_only"]["value"] == 0.9


def test_unseen_lengths_take_the_overall_majority() -> None:
    train = plan_of([10, 10, 10, 90], [10, 10, 10, 90], [NOT_NEXT, NOT_NEXT, NOT_NEXT, IS_NEXT])
    held_out = plan_of([1, 10, 500], [90, 45, 1], [NOT_NEXT, NOT_NEXT, NOT_NEXT])
    assert audited(train, held_out)["length_only"]["value"] == 1.0


def test_without_held_out_pairs_there_is_no_accuracy() -> None:
    found = audited(plan_of(*lengths_and_labels(0, 50)), EMPTY)
    assert found["pairs"] == 50 and found["held_out_pairs"] == 0
    assert found["majority"] is None and found["length_only"] is None


def test_without_training_pairs_nothing_is_learned() -> None:
    found = audited(EMPTY, plan_of([4], [5], [NOT_NEXT]))
    assert found["pairs"] == found["is_next"] == found["not_next"] == 0
    assert found["majority"] == 1.0 and found["length_only"] is None
    assert audited(EMPTY, EMPTY)["length_only"] is None


@pytest.mark.parametrize("label", [IS_NEXT, NOT_NEXT])
def test_a_training_plan_of_one_label_gives_that_label(label: int) -> None:
    a, b, labels = lengths_and_labels(0, 500, 0.3)
    found = audited(plan_of(a, b, np.full(500, label)), plan_of(a, b, labels))
    assert found["length_only"]["value"] == (labels == label).mean()


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1)), min_size=1, max_size=60))
def test_any_plan_has_an_accuracy_inside_its_interval(rows: list[tuple[int, int, int]]) -> None:
    train, held_out = rows[: len(rows) // 2 + 1], rows[len(rows) // 2 :]
    plans = [plan_of(*np.array(part).T) for part in (train, held_out)]
    found = audited(*plans)
    bounds = found["length_only"]
    assert 0 <= bounds["low"] <= bounds["value"] <= bounds["high"] <= 1
    assert bounds["high"] - bounds["low"] > 0.1, "thirty pairs prove little"
    assert audited(*plans) == found


def test_the_interval_is_wilsons() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263 give 0.2553 to 0.3662, and 0 of 20 give 0 to 0.1611.
    assert audit._wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert audit._wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    low, high = audit._wilson(20, 20)
    assert low == pytest.approx(0.8389, abs=5e-5) and high == 1.0


def test_a_large_plan_is_sampled_evenly() -> None:
    assert audit._evenly_spaced(10, 4).tolist() == [0, 2, 5, 7]
    assert audit._evenly_spaced(4, 10).tolist() == [0, 1, 2, 3]
    places = audit._evenly_spaced(10_000_019, audit.MAX_TRAIN_PAIRS)
    assert len(places) == 1_000_000 and set(np.diff(places)) == {10, 11} and places[-1] < 10_000_019


def test_the_sample_is_what_is_learned_from_and_the_counts_are_of_all() -> None:
    # Where every second pair is taken, all have one label; of all pairs it is no more frequent than the other.
    labels = np.tile([NOT_NEXT, IS_NEXT], 50)
    train = plan_of(np.full(100, 10), np.full(100, 20), labels)
    held_out = plan_of([10] * 5, [20] * 5, [NOT_NEXT] * 5)
    assert audited(train, held_out)["length_only"]["value"] == 0.0
    with mock.patch.object(audit, "MAX_TRAIN_PAIRS", 50):
        found = audited(train, held_out)
    assert found["length_only"]["value"] == 1.0
    assert (found["pairs"], found["not_next"]) == (100, 50)

"""Differences between two models: compared with hand calculations, exact tests and simulations."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest

from bertsmith.metrics.classification import Metric, accuracy, binary_f1, mean_squared_error, pearson
from bertsmith.metrics.comparison import Difference, compare_measurements, difference_interval, examples_needed, p_value
from bertsmith.metrics.resampling import bootstrap_draws
from bertsmith.metrics.student import t_975

Answers = npt.NDArray[np.float64]


def compared(metric: Metric, gold: Answers, a: Answers, b: Answers) -> Difference:
    return compare_measurements({"": metric.measure(gold, a)}, {"": metric.measure(gold, b)})[""]


def right(only_a: int, only_b: int, both: int, neither: int = 0) -> tuple[Answers, Answers, Answers]:
    """Labels that are all 1, and answers of which this number is correct."""
    parts = [(1, 0, only_a), (0, 1, only_b), (1, 1, both), (0, 0, neither)]
    a, b = (np.concatenate([np.full(part[2], part[side]) for part in parts]).astype(float) for side in (0, 1))
    return np.ones(len(a)), a, b


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p-value: twice the smaller tail of a fair coin."""
    total = only_a + only_b
    tail = sum(math.comb(total, count) for count in range(min(only_a, only_b) + 1)) / 2**total
    return min(1.0, 2 * tail)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 4), (5, 0), (0, 6), (3, 7), (6, 6), (1, 12)])
def test_few_exchanges_are_mcnemars_exact_test(only_a: int, only_b: int) -> None:
    found = compared(accuracy, *right(only_a, only_b, 40))
    assert found.p_value == pytest.approx(mcnemar(only_a, only_b), abs=1e-12)
    assert found.differing_examples == only_a + only_b
    assert found.difference == pytest.approx((only_b - only_a) / (40 + only_a + only_b))


@pytest.mark.parametrize(("only_a", "only_b"), [(10, 25), (30, 40), (200, 260)])
def test_a_sample_of_exchanges_is_near_it(only_a: int, only_b: int) -> None:
    p = mcnemar(only_a, only_b)
    found = compared(accuracy, *right(only_a, only_b, 500))
    assert found.p_value == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 10_000) + 1e-4)
    assert found.p_value > 0


@pytest.mark.parametrize("examples", [7, 10, 300, 3_000])
def test_a_difference_is_real_from_six_wins_without_a_loss(examples: int) -> None:
    """As in McNemar's exact test (p is 0.06 for five, 0.03 for six), for any number of examples on which both agree."""
    wins = {count: compared(accuracy, *right(0, count, examples - count)) for count in (4, 5, 7)}
    assert [found.real for found in wins.values()] == [False, False, True]
    assert [found.p_value < 0.05 for found in wins.values()] == [False, False, True]


def test_the_same_answers_differ_in_nothing() -> None:
    gold, a, _ = right(20, 30, 50)
    found = compared(accuracy, gold, a, a)
    assert found == Difference(found.a, found.a, 0.0, 0.0, 0.0, False, 1.0, 0.0, None, 0)
    one = compared(accuracy, *right(0, 1, 99))
    assert (one.low, one.real, one.p_value) == (0.0, False, 1.0)
    alone = compared(accuracy, *right(0, 1, 0))
    assert (alone.low, alone.high, alone.difference, alone.real) == (0.0, 1.0, 1.0, False), "of a single example"


def test_the_interval_of_a_share_is_that_of_its_standard_error() -> None:
    """100 wins, 60 losses of 1,000: the standard error of the difference by hand."""
    found = compared(accuracy, *right(60, 100, 840))
    error = math.sqrt(0.16 - 0.04**2) / math.sqrt(1_000)
    assert found.standard_error == pytest.approx(error, rel=0.03)
    assert found.low == pytest.approx(0.04 - 1.97 * error, abs=0.1 * error)
    assert found.high == pytest.approx(0.04 + 1.97 * error, abs=0.1 * error)
    assert found.real and found.p_value < 0.05


def test_a_and_b_in_the_other_order_give_the_difference_with_the_other_sign() -> None:
    draw = np.random.default_rng(0)
    gold = draw.random(80)
    a, b = gold + draw.random(80), gold + 2 * draw.random(80)
    for metric in (pearson, mean_squared_error):
        found, other = compared(metric, gold, a, b), compared(metric, gold, b, a)
        assert (found.a, found.b, found.difference) == (other.b, other.a, -other.difference)
        assert (found.low, found.high) == pytest.approx((-other.high, -other.low))
        assert (found.real, found.p_value) == (other.real, pytest.approx(other.p_value))
        assert found == compared(metric, gold, a, b), "the same each time"


def test_examples_needed_by_hand() -> None:
    """0.02 with standard error 0.01 on 400 examples needs (2.8016 / 2)^2 times as many; a clear one needs fewer."""
    assert examples_needed(0.02, 0.01, 400) == math.ceil(400 * (2.801585 / 2) ** 2) == 785
    assert examples_needed(-0.02, 0.01, 400) == 785
    assert examples_needed(1.0, 0.01, 400) == examples_needed(1.0, 0.0, 400) == 1
    assert examples_needed(0.0, 0.01, 400) is None


def test_t_is_students() -> None:
    stats = pytest.importorskip("scipy.stats")
    for degrees in (1, 2, 5, 29, 30, 31, 60, 1_000):
        assert t_975(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=6e-4)


def test_t_falls_to_the_normal_quantile() -> None:
    values = [t_975(degrees) for degrees in range(1, 200)]
    assert values == sorted(values, reverse=True)
    assert t_975(100_000) == pytest.approx(1.96, abs=1e-4) and t_975(31) == pytest.approx(2.0395, abs=1e-3)


# By simulation

SETS, EXAMPLES = 1_000, 300


def correctness(
    a: float, b: float, both: float
) -> tuple[Metric, float, Callable[[np.random.Generator, int], tuple[Answers, ...]]]:
    """Two models with these accuracies and this rate of joint success: accuracy, and its true difference."""

    def draw(generator: np.random.Generator, examples: int) -> tuple[Answers, ...]:
        lot = generator.random(examples)
        return (
            np.ones(examples),
            (lot < a).astype(float),
            ((lot < both) | ((lot >= a) & (lot < a + b - both))).astype(float),
        )

    return accuracy, b - a, draw


def classes(
    share: float, a: tuple[float, float], b: tuple[float, float]
) -> tuple[Metric, float, Callable[[np.random.Generator, int], tuple[Answers, ...]]]:
    """Class 1 with this share, hit rate and false-alarm rate; hard examples are hard for both models."""

    def draw(generator: np.random.Generator, examples: int) -> tuple[Answers, ...]:
        gold, hard = generator.random(examples) < share, generator.normal(size=examples)
        sides = []
        for found, false in (a, b):
            own = math.sqrt(0.6) * hard + math.sqrt(0.4) * generator.normal(size=examples)
            sides.append(own < np.where(gold, NormalDist().inv_cdf(found), NormalDist().inv_cdf(false)))
        return gold.astype(float), sides[0].astype(float), sides[1].astype(float)

    def f1(found: float, false: float) -> float:
        return 2 * share * found / (share * found + share + (1 - share) * false)

    return binary_f1, f1(*b) - f1(*a), draw


WORLDS = {
    "accuracy, the same": correctness(0.85, 0.85, 0.80),
    "accuracy, 5 points": correctness(0.85, 0.90, 0.82),
    "accuracy, few answers that differ": correctness(0.96, 0.99, 0.955),
    "f1, the same": classes(0.3, (0.7, 0.1), (0.7, 0.1)),
    "f1, 8 points": classes(0.3, (0.7, 0.1), (0.8, 0.08)),
    "f1 of a rare class": classes(0.1, (0.6, 0.05), (0.75, 0.04)),
}


@pytest.mark.parametrize(
    "world",
    [pytest.param(world, marks=[] if world == "accuracy, 5 points" else [pytest.mark.slow]) for world in WORLDS],
)
def test_the_interval_holds_the_true_difference(world: str) -> None:
    """At least 93 times in 100, so equal models are called different at most 7 times; 2,000 resamples for speed."""
    metric, truth, draw = WORLDS[world]
    generator = np.random.default_rng(7)
    times = np.concatenate(list(bootstrap_draws(EXAMPLES, 2_000)))
    held = 0
    for _ in range(SETS):
        gold, *both = draw(generator, EXAMPLES)
        a, b = (metric.measure(gold, side) for side in both)
        low, high = difference_interval(b.over(times) - a.over(times), int(a.differs(b).sum()))
        held += low - 1e-9 <= truth <= high + 1e-9
    assert 0.93 * SETS <= held < SETS


@pytest.mark.parametrize("world", ["accuracy, the same", "accuracy, 5 points", "f1 of a rare class"])
def test_interval_and_p_value_agree(world: str) -> None:
    """They disagree only in borderline cases, 1 to 5 times in 100."""
    metric, truth, draw = WORLDS[world]
    generator = np.random.default_rng(8)
    times = np.concatenate(list(bootstrap_draws(EXAMPLES, 2_000)))
    differ, sure, sets = 0, 0, 150
    for _ in range(sets):
        gold, *both = draw(generator, EXAMPLES)
        a, b = (metric.measure(gold, side) for side in both)
        where = a.differs(b)
        low, high = difference_interval(b.over(times) - a.over(times), int(where.sum()))
        p = p_value(a, b, where)
        differ += (low > 0 or high < 0) != (p < 0.05)
        sure += p < 0.05
    assert differ <= 0.05 * sets
    assert sure <= 0.1 * sets if truth == 0 else sure > 0.1 * sets


def test_so_many_examples_show_a_difference_in_80_of_100_files() -> None:
    metric, _, draw = WORLDS["accuracy, 5 points"]
    generator = np.random.default_rng(9)
    large = compared(metric, *draw(generator, 20_000))
    needed = large.examples_needed
    assert needed is not None and 250 < needed < 500
    times = np.concatenate(list(bootstrap_draws(needed, 2_000)))
    shown = 0
    for _ in range(500):
        gold, *both = draw(generator, needed)
        a, b = (metric.measure(gold, side) for side in both)
        low, _ = difference_interval(b.over(times) - a.over(times), int(a.differs(b).sum()))
        shown += low > 0
    assert 0.73 <= shown / 500 <= 0.87

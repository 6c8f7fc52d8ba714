"""Metrics compared with hand calculations and the definitions in scikit-learn and SciPy; intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.metrics.classification import (
    LOWER_IS_BETTER,
    SIGNED_METRICS,
    Array,
    Metric,
    accuracy,
    binary_f1,
    macro_f1,
    matthews,
    mean_squared_error,
    micro_f1,
    over_seeds,
    pearson,
    spearman,
)
from bertsmith.metrics.resampling import Interval, interval, intervals

labels = st.integers(0, 3)
pairs_of_labels = st.lists(st.tuples(labels, labels), min_size=1, max_size=30)
numbers = st.integers(-20, 20).map(lambda value: value / 4)
pairs_of_numbers = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30)


def arrays(pairs: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    gold, predicted = np.array(pairs, dtype=np.float64).T
    return gold, predicted


def f1_by_precision_and_recall(pairs: Sequence[tuple[int, int]]) -> float:
    """scikit-learn's `f1_score(average="macro", zero_division=0)`, from precision and recall per label."""
    scores = []
    for label in {value for pair in pairs for value in pair}:
        right = sum(gold == predicted == label for gold, predicted in pairs)
        predicted_so = sum(predicted == label for _, predicted in pairs)
        gold_so = sum(gold == label for gold, _ in pairs)
        precision = right / predicted_so if predicted_so else 0.0
        recall = right / gold_so if gold_so else 0.0
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return sum(scores) / len(scores)


def test_by_hand() -> None:
    gold, predicted = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    assert accuracy(gold, predicted) == 3 / 5
    # label 0: 1 of 2 found, 1 of 2 right; label 1: 2 of 2 found, 2 of 3 right; label 2: never found.
    assert macro_f1(gold, predicted) == pytest.approx((0.5 + 0.8 + 0) / 3)
    a, b = np.array([1.0, 2, 3, 5]), np.array([2.0, 1, 4, 4])
    assert pearson(a, b) == pytest.approx(
        (-1.75 * -0.75 + -0.75 * -1.75 + 0.25 * 1.25 + 2.25 * 1.25) / math.sqrt(8.75 * 6.75)
    )
    assert spearman(a, b) == pytest.approx(pearson(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 3.5, 3.5])))
    assert mean_squared_error(a, b) == (1 + 1 + 1 + 1) / 4


def test_two_classes_by_hand() -> None:
    """TP 3, FP 1, FN 2, TN 4."""
    gold = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])
    predicted = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    assert binary_f1(gold, predicted) == pytest.approx(6 / 9)
    assert micro_f1(gold, predicted) == pytest.approx(0.7)
    assert matthews(gold, predicted) == pytest.approx(
        (3 * 4 - 1 * 2) / math.sqrt((3 + 1) * (3 + 2) * (4 + 1) * (4 + 2))
    )
    assert matthews(gold, 1 - gold) == pytest.approx(-1)
    assert matthews(gold, np.ones(10)) == binary_f1(np.zeros(2), np.zeros(2)) == 0


@given(pairs_of_labels)
def test_they_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold, predicted = arrays(pairs)
    assert micro_f1(gold, predicted) == pytest.approx(metrics.f1_score(gold, predicted, average="micro"))
    assert macro_f1(gold, predicted) == pytest.approx(metrics.f1_score(gold, predicted, average="macro"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a single label
        assert matthews(gold, predicted) == pytest.approx(metrics.matthews_corrcoef(gold, predicted), abs=1e-9)
    a, b = gold % 2, predicted % 2
    assert binary_f1(a, b) == pytest.approx(metrics.f1_score(a, b, labels=[1], average="macro", zero_division=0))


@given(pairs_of_numbers)
def test_correlations_are_scipy_s(pairs: list[tuple[float, float]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    gold, predicted = arrays(pairs)
    if gold.std() > 0 and predicted.std() > 0:
        assert pearson(gold, predicted) == pytest.approx(stats.pearsonr(gold, predicted).statistic, abs=1e-9)
        assert spearman(gold, predicted) == pytest.approx(stats.spearmanr(gold, predicted).statistic, abs=1e-9)


@given(pairs_of_labels)
def test_macro_f1_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    assert macro_f1(*arrays(pairs)) == pytest.approx(f1_by_precision_and_recall(pairs))
    assert accuracy(*arrays(pairs)) == pytest.approx(sum(gold == predicted for gold, predicted in pairs) / len(pairs))


@given(pairs_of_numbers)
def test_correlations_are_those_of_their_definitions(pairs: list[tuple[float, float]]) -> None:
    gold, predicted = arrays(pairs)
    if gold.std() == 0 or predicted.std() == 0:
        assert pearson(gold, predicted) == spearman(gold, predicted) == 0
        return
    assert pearson(gold, predicted) == pytest.approx(float(np.corrcoef(gold, predicted)[0, 1]), abs=1e-9)
    ranks = [
        np.array([(values < value).sum() + ((values == value).sum() + 1) / 2 for value in values])
        for values in (gold, predicted)
    ]
    assert spearman(gold, predicted) == pytest.approx(float(np.corrcoef(*ranks)[0, 1]), abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(pairs_of_numbers)
def test_spearman_sees_order_alone(pairs: list[tuple[float, float]]) -> None:
    gold, predicted = arrays(pairs)
    assert spearman(gold, predicted) == pytest.approx(spearman(np.exp(gold), predicted**3), abs=1e-9)


def bootstrap(metric: Metric, gold: Array, predicted: Array, **options: int) -> Interval:
    return intervals({"": metric.measure(gold, predicted)}, **options)[""]


def test_an_interval_is_the_same_each_time_and_holds_its_value() -> None:
    draw = np.random.default_rng(0)
    gold = draw.integers(0, 2, 200)
    predicted = np.where(draw.random(200) < 0.8, gold, 1 - gold)
    interval = bootstrap(accuracy, gold, predicted)
    np.random.seed(3)
    assert bootstrap(accuracy, gold, predicted) == interval
    assert interval.low < interval.value < interval.high
    assert interval.value == accuracy(gold, predicted)
    assert interval.to_dict() == {"value": interval.value, "low": interval.low, "high": interval.high}


def test_a_resample_in_which_a_figure_does_not_exist_is_left_out() -> None:
    assert interval(1.0, np.array([np.nan, 1.0, np.nan, 1.0])).to_dict() == {"value": 1, "low": 1, "high": 1}


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_an_interval_is_as_wide_as_the_normal_approximation(share: float) -> None:
    gold = np.zeros(4000)
    predicted = (np.arange(4000) >= share * 4000).astype(float)
    interval = bootstrap(accuracy, gold, predicted)
    half = 1.96 * math.sqrt(share * (1 - share) / 4000)
    assert interval.value == share
    assert interval.low == pytest.approx(share - half, abs=0.1 * half)
    assert interval.high == pytest.approx(share + half, abs=0.1 * half)


def test_intervals_cover_the_truth_about_95_times_of_100() -> None:
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        predicted = (draw.random(100) >= 0.7).astype(float)
        interval = bootstrap(accuracy, np.zeros(100), predicted, resamples=200)
        covered += interval.low <= 0.7 <= interval.high
    assert 0.88 * 200 <= covered <= 200


def test_nothing_wrong_has_no_interval() -> None:
    interval = bootstrap(accuracy, np.ones(10), np.ones(10))
    assert (interval.value, interval.low, interval.high) == (1, 1, 1)


def test_over_seeds_is_student_s() -> None:
    """1, 2, 3: mean 2, standard deviation 1; t at 0.975 with 2 degrees of freedom is 4.303."""
    interval = over_seeds([1.0, 2.0, 3.0])
    assert interval.value == 2
    assert interval.high - 2 == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert 2 - interval.low == pytest.approx(interval.high - 2)
    two = over_seeds([0.5, 0.7])
    assert two.high - two.value == pytest.approx(12.706 * 0.1, rel=1e-3)
    one = over_seeds([0.5])
    assert (one.low, one.value, one.high) == (0.5, 0.5, 0.5)
    many = over_seeds([0.0, 1.0] * 50)
    assert many.high - many.value == pytest.approx(2.0 * 0.05, rel=0.05)


def test_figures_say_which_way_is_better() -> None:
    assert {"mean_squared_error"} == LOWER_IS_BETTER
    assert {"matthews", "pearson", "spearman"} == SIGNED_METRICS

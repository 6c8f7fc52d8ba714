"""The combined metric of several seeds, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from bertsmith.metrics.seeds import median_interval, one_figure
from bertsmith.records.finetuning import MeanFigure
from bertsmith.records.suite import OverSeeds


@pytest.mark.parametrize(("count", "place"), [(6, 0), (8, 0), (9, 1), (12, 2), (20, 5)])
def test_the_interval_of_the_median_is_that_of_the_tables(count: int, place: int) -> None:
    """Ranks of the order statistics at 95% (Conover 1999, from the binomial distribution)."""
    values = list(range(count))
    assert median_interval(values[::-1]) == (values[place], values[-1 - place])


def test_five_values_have_no_interval() -> None:
    assert median_interval([1, 2, 3, 4, 5]) is None and median_interval([]) is None


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    """For a distribution far from normal; the coverage for nine values is 96.1%."""
    draws = np.random.default_rng(0).exponential(size=(4000, 9))
    held = [low <= np.log(2) <= high for row in draws for low, high in [median_interval(row.tolist()) or (9, 9)]]
    assert 0.95 < np.mean(held) < 0.97


@pytest.mark.parametrize(
    ("over_seeds", "expected"), [("mean", (2.0, 1.0, 3.0)), ("median", (1.0, None, None)), ("best", (4.0, None, None))]
)
def test_one_figure(over_seeds: OverSeeds, expected: tuple[float, float | None, float | None]) -> None:
    figure = one_figure(MeanFigure(mean=2.0, low=1.0, high=3.0, seeds=[1.0, 4.0, 1.0]), over_seeds, 1)
    assert (figure.value, figure.low, figure.high) == expected


def test_the_median_of_six_has_an_interval() -> None:
    six = MeanFigure(mean=2.0, low=1.0, high=3.0, seeds=[6.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert one_figure(six, "median", 0).to_dict() == {"value": 3.5, "low": 1.0, "high": 6.0}


@pytest.mark.parametrize("over_seeds", ["mean", "median", "best"])
def test_one_seed_has_the_interval_over_its_examples(over_seeds: OverSeeds) -> None:
    alone = MeanFigure(mean=0.5, low=0.4, high=0.6, seeds=[0.5])
    assert one_figure(alone, over_seeds, 0).to_dict() == {"value": 0.5, "low": 0.4, "high": 0.6}

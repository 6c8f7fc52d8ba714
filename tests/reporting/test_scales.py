"""Axes: ticks rise, stay inside and have labels of their own; a wild value does not flatten the rest."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.reporting.scales import downsample, nice_ticks, pad_range, robust_range, tick_labels

drawable = st.floats(min_value=-1e150, max_value=1e150)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 12_000, ["0", "2k", "4k", "6k", "8k", "10k", "12k"]),
        (5.4, 9.1, ["6", "7", "8", "9"]),
        (0, 0.3, ["0", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]),
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-1, 1, ["−1.0", "−0.5", "0", "0.5", "1.0"]),
        (0, 1e-4, ["0", "2e-5", "4e-5", "6e-5", "8e-5", "1e-4"]),
    ],
)
def test_familiar_ranges(low: float, high: float, labels: list[str]) -> None:
    assert tick_labels(nice_ticks(low, high)) == labels


@given(drawable, drawable)
def test_ticks_rise_inside_the_range(one: float, other: float) -> None:
    low, high = pad_range(min(one, other), max(one, other))
    ticks = nice_ticks(low, high)
    tolerance = (high - low) * 1e-9
    assert 2 <= len(ticks) <= 7
    assert all(earlier < later for earlier, later in pairwise(ticks))
    assert low - tolerance <= ticks[0] and ticks[-1] <= high + tolerance


@pytest.mark.parametrize("exponent", range(-90, 140))
def test_every_power_of_ten_has_its_ticks(exponent: int) -> None:
    exact = 6 * 10.0**exponent
    for high in (math.nextafter(exact, 0), exact, math.nextafter(exact, math.inf)):
        assert len(nice_ticks(0, high)) == 7


def test_labels_of_large_and_odd_values() -> None:
    assert tick_labels(nice_ticks(0, 3e9)) == ["0", "0.5B", "1.0B", "1.5B", "2.0B", "2.5B", "3.0B"]
    assert tick_labels(nice_ticks(5.5, 5.5)) == ["5.3", "5.4", "5.5", "5.6", "5.7"]


@given(drawable, drawable)
def test_labels_tell_ticks_apart(one: float, other: float) -> None:
    labels = tick_labels(nice_ticks(min(one, other), max(one, other)))
    assert len(set(labels)) == len(labels)


def test_first_wild_losses_do_not_flatten_the_rest() -> None:
    low, high = robust_range([1e6, 300.0, *[6 + index / 100 for index in range(200)]])
    assert high < 10
    assert low < 6


def test_few_values_are_all_shown() -> None:
    assert robust_range([9.0, 6.0, 5.5, 5.4])[1] >= 9.0


def test_an_ordinary_curve_is_shown_whole() -> None:
    values = [5.5 + 3.5 * math.exp(-index / 150) for index in range(600)]
    assert robust_range(values)[1] >= max(values)


def test_reference_lines_are_inside() -> None:
    low, high = robust_range([5.0] * 100, always=[10.3, 2.0])
    assert low < 2.0 and high > 10.3


def test_thinning_keeps_the_mean() -> None:
    points = [(float(step), float(step % 7)) for step in range(1200)]
    few = downsample(points)
    assert len(few) == 400
    assert few[0] == (1.0, 1.0)
    assert math.isclose(sum(y for _, y in few) / 400, sum(y for _, y in points) / 1200)
    assert downsample(points[:400]) == points[:400]

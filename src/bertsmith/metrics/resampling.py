"""Bootstrap intervals: a figure over examples that are drawn again, with replacement (Efron 1979)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bertsmith.metrics.measurements import Floats, Measurement
from bertsmith.runtime import random

RESAMPLES = 1_000
Name = TypeVar("Name", bound=Hashable)
_BLOCK = 1 << 20
"""Numbers of a block of resamples."""


@dataclass(frozen=True)
class Interval:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """The JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high}


def bootstrap_draws(examples: int, resamples: int) -> Iterator[Floats]:
    """The resamples in blocks, float64 of [rows, examples]: how often each example is drawn. The same each time."""
    generator = random.generator("bootstrap", examples, resamples)
    rows = max(1, _BLOCK // examples)
    for start in range(0, resamples, rows):
        times = np.empty((min(rows, resamples - start), examples))
        for row in times:
            row[:] = np.bincount(generator.integers(0, examples, examples), minlength=examples)
        yield times


def resampled(measured: Mapping[Name, Measurement], resamples: int) -> dict[Name, Floats]:
    """Figures of the same examples, each float64 of [resamples], all over the same resamples."""
    found: dict[Name, list[Floats]] = {name: [] for name in measured}
    examples = len(next(iter(measured.values())))
    for times in bootstrap_draws(examples, resamples):
        for name, measurement in measured.items():
            found[name].append(measurement.over(times))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def intervals(measured: Mapping[Name, Measurement], resamples: int = RESAMPLES) -> dict[Name, Interval]:
    """Figures of the same examples, each with its 95% percentile interval; the same each time."""
    over = resampled(measured, resamples)
    return {name: interval(measurement.value, over[name]) for name, measurement in measured.items()}


def interval(value: float, over: Floats) -> Interval:
    """A figure with the 95% percentile interval of its resampled values: float64 of [resamples].

    NaN stands for a resample in which the figure does not exist and is left out.
    """
    low, high = np.nanquantile(over, (0.025, 0.975))
    return Interval(value, float(low), float(high))

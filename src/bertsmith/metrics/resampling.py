"""Bootstrap intervals: metrics over examples resampled with replacement (Efron 1979)."""

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
"""Maximum array elements per block of resamples."""


@dataclass(frozen=True)
class Interval:
    """A metric and its 95% interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the JSON object."""
        return {"value": self.value, "low": self.low, "high": self.high}


def bootstrap_draws(examples: int, resamples: int) -> Iterator[Floats]:
    """Yield blocks of resamples, float64 of [rows, examples]: how often each example is drawn. Reproducible."""
    generator = random.generator("bootstrap", examples, resamples)
    rows = max(1, _BLOCK // examples)
    for start in range(0, resamples, rows):
        times = np.empty((min(rows, resamples - start), examples))
        for row in times:
            row[:] = np.bincount(generator.integers(0, examples, examples), minlength=examples)
        yield times


def resampled(measurements: Mapping[Name, Measurement], resamples: int) -> dict[Name, Floats]:
    """Return each metric over the same resamples of the same examples: float64 of [resamples]."""
    found: dict[Name, list[Floats]] = {name: [] for name in measurements}
    examples = len(next(iter(measurements.values())))
    for times in bootstrap_draws(examples, resamples):
        for name, measurement in measurements.items():
            found[name].append(measurement.over(times))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def intervals(measurements: Mapping[Name, Measurement], resamples: int = RESAMPLES) -> dict[Name, Interval]:
    """Return metrics of the same examples, each with its 95% percentile interval; reproducible."""
    over = resampled(measurements, resamples)
    return {name: interval(measurement.value, over[name]) for name, measurement in measurements.items()}


def interval(value: float, over: Floats) -> Interval:
    """Return a metric with the 95% percentile interval of its resampled values, float64 of [resamples].

    NaN values (the metric is undefined for a resample) are ignored.
    """
    low, high = np.nanquantile(over, (0.025, 0.975))
    return Interval(value, float(low), float(high))

"""Scores of prediction files: the parts that all tasks share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertsmith.config.verb import Result
from bertsmith.metrics.classification import Array, Metric
from bertsmith.metrics.resampling import Interval, intervals
from bertsmith.reporting.numbers import counted


@dataclass(frozen=True)
class Scores(Result, ABC):
    """Metrics with 95% bootstrap intervals. In JSON the values are at the top level, the intervals in `intervals`."""

    metrics: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        facts = {name: value for name, value in super().to_dict().items() if name != "metrics"}
        values = {name: figure.value for name, figure in self.metrics.items()}
        ranges = {name: {"low": figure.low, "high": figure.high} for name, figure in self.metrics.items()}
        return {**values, **facts, "intervals": ranges}

    @property
    @abstractmethod
    def headline(self) -> str:
        """The line above the metrics."""

    @property
    def parts(self) -> Mapping[str, Scores]:
        """Scores of subsets of the examples, by name."""
        return {}

    @property
    def notes(self) -> Sequence[str]:
        """Lines below the metrics."""
        return ()


@dataclass(frozen=True)
class ExampleScores(Scores):
    """The scores of examples with one answer each.

    Attributes:
        total: number of examples.
    """

    total: int

    @property
    def headline(self) -> str:
        """The number of examples."""
        return counted(self.total, "example")


def bootstrapped(metrics: Mapping[str, Metric], targets: Array, predicted: Array) -> dict[str, Interval]:
    """Return the metrics, each with its bootstrap interval over the examples."""
    return intervals({name: metric.measure(targets, predicted) for name, metric in metrics.items()})

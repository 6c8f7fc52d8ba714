"""Accuracy, F1 and correlation, with bootstrap intervals. Plain arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertsmith.runtime import random

Array = npt.NDArray[np.generic]
RESAMPLES = 1_000


@dataclass(frozen=True)
class Interval:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """The JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high}


def accuracy(gold: Array, predicted: Array) -> float:
    """The share of examples whose label is right."""
    return float(np.mean(gold == predicted))


def macro_f1(gold: Array, predicted: Array) -> float:
    """The mean over the labels of 2TP / (2TP + FP + FN), over the labels that occur on either side."""
    scores = []
    for label in np.union1d(gold, predicted):
        true_positive = int(np.sum((gold == label) & (predicted == label)))
        wrong = int(np.sum((gold == label) != (predicted == label)))
        scores.append(2 * true_positive / (2 * true_positive + wrong))
    return float(np.mean(scores))


def pearson(gold: Array, predicted: Array) -> float:
    """Pearson's correlation; 0 where one side is constant."""
    a = np.asarray(gold, dtype=np.float64) - np.mean(np.asarray(gold, dtype=np.float64))
    b = np.asarray(predicted, dtype=np.float64) - np.mean(np.asarray(predicted, dtype=np.float64))
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def spearman(gold: Array, predicted: Array) -> float:
    """Spearman's rank correlation: Pearson's over ranks, ties sharing their mean rank."""
    return pearson(_ranks(gold), _ranks(predicted))


def _ranks(values: Array) -> npt.NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means = ends - (counts - 1) / 2
    return np.asarray(means[inverse], dtype=np.float64)


def mean_squared_error(gold: Array, predicted: Array) -> float:
    """The mean of the squared differences."""
    return float(np.mean((np.asarray(gold, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)) ** 2))


def bootstrap(
    metric: Callable[[Array, Array], float], gold: Array, predicted: Array, *, resamples: int = RESAMPLES
) -> Interval:
    """A metric with its 95% percentile interval over resampled examples (Efron 1979); the same each time."""
    generator = random.generator("bootstrap", len(gold), resamples)
    values = np.empty(resamples)
    for row in range(resamples):
        chosen = generator.integers(0, len(gold), len(gold))
        values[row] = metric(gold[chosen], predicted[chosen])
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(metric(gold, predicted), float(low), float(high))


def over_seeds(values: list[float]) -> Interval:
    """The mean over seeds and its 95% interval by Student's t; one seed has no spread and its interval is a point."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, mean, mean)
    half = _T_975[min(len(values) - 1, len(_T_975)) - 1] * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


# Student's t at 0.975 for 1 to 30 degrees of freedom.
_T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip

"""Accuracy, F1 and correlation, with bootstrap intervals. Plain arrays in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertsmith.runtime import random

Array = npt.NDArray[np.generic]
Metric = Callable[[Array, Array], float]
"""A figure of what is true and what is predicted, both of [examples]; of label sets bool of [examples, labels]."""
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


def binary_f1(gold: Array, predicted: Array) -> float:
    """2TP / (2TP + FP + FN) of class 1 of the classes 0 and 1; 0 where neither side has it."""
    true_positive = int(np.sum((gold == 1) & (predicted == 1)))
    wrong = int(np.sum((gold == 1) != (predicted == 1)))
    return 2 * true_positive / (2 * true_positive + wrong) if true_positive + wrong else 0.0


def macro_f1(gold: Array, predicted: Array) -> float:
    """The mean over the labels of 2TP / (2TP + FP + FN), over the labels that occur on either side."""
    scores = []
    for label in np.union1d(gold, predicted):
        true_positive = int(np.sum((gold == label) & (predicted == label)))
        wrong = int(np.sum((gold == label) != (predicted == label)))
        scores.append(2 * true_positive / (2 * true_positive + wrong))
    return float(np.mean(scores))


def micro_f1(gold: Array, predicted: Array) -> float:
    """2TP / (2TP + FP + FN) with the counts of all labels added up; with one label an example it equals accuracy."""
    true_positive = int(np.sum(gold == predicted))
    wrong = 2 * (len(gold) - true_positive)  # each is a false positive of one label and a false negative of another
    return 2 * true_positive / (2 * true_positive + wrong)


def matthews(gold: Array, predicted: Array) -> float:
    """Matthews' correlation of classes, for any number of them (Gorodkin 2004); 0 where one side is constant."""
    labels, codes = np.unique(np.concatenate([gold, predicted]), return_inverse=True)
    examples = len(gold)
    true = np.bincount(codes[:examples], minlength=len(labels)).astype(np.float64)
    guessed = np.bincount(codes[examples:], minlength=len(labels)).astype(np.float64)
    covariance = float(np.sum(gold == predicted)) * examples - float(true @ guessed)
    norm = np.sqrt((examples**2 - float(true @ true)) * (examples**2 - float(guessed @ guessed)))
    return covariance / float(norm) if norm > 0 else 0.0


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


def exact_match(gold: Array, predicted: Array) -> float:
    """The share of examples whose label set is right, no label more and none less."""
    return float(np.mean(np.all(gold == predicted, axis=1)))


def micro_f1_of_sets(gold: Array, predicted: Array) -> float:
    """2TP / (2TP + FP + FN) with the counts of all labels added up; 0 where neither side has a label."""
    true_positive, wrong = (int(counts.sum()) for counts in _counts_of_sets(gold, predicted))
    return 2 * true_positive / (2 * true_positive + wrong) if true_positive + wrong else 0.0


def macro_f1_of_sets(gold: Array, predicted: Array) -> float:
    """The mean of the labels' 2TP / (2TP + FP + FN), over the labels that occur on either side; 0 where none does."""
    true_positive, wrong = _counts_of_sets(gold, predicted)
    occurring = true_positive + wrong > 0
    scores = 2 * true_positive[occurring] / (2 * true_positive + wrong)[occurring]
    return math.fsum(scores) / len(scores) if len(scores) else 0.0


def _counts_of_sets(gold: Array, predicted: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """TP, and FP + FN, of each label."""
    true, guessed = np.asarray(gold, dtype=bool), np.asarray(predicted, dtype=bool)
    return np.sum(true & guessed, axis=0), np.sum(true ^ guessed, axis=0)


SET_METRICS: dict[str, Metric] = {
    "micro_f1": micro_f1_of_sets,
    "macro_f1": macro_f1_of_sets,
    "accuracy": exact_match,
}
"""The figures of label sets, the main one first."""

NUMBER_METRICS: dict[str, Metric] = {
    "pearson": pearson,
    "spearman": spearman,
    "mean_squared_error": mean_squared_error,
}
"""The figures of numbers, the main one first."""

LOWER_IS_BETTER = frozenset({"mean_squared_error"})
"""The figures of which the lowest is the best."""


CORRELATIONS = frozenset({"matthews", "pearson", "spearman"})
"""The figures that may be negative, down to -1."""


def possible(metric: str, value: float, top: float) -> float:
    """A value cut at what a figure can be; `top` is the most that shares and correlations can be, 1 or 100."""
    if metric in LOWER_IS_BETTER:
        return max(value, 0.0)
    return min(max(value, -top if metric in CORRELATIONS else 0.0), top)


def goodness(metric: str, value: float) -> float:
    """A figure in the direction in which more is better."""
    return -value if metric in LOWER_IS_BETTER else value


def class_metrics(classes: int) -> dict[str, Metric]:
    """The figures of so many classes, numbered in their order, the main one first; with two also `f1`, of class 1."""
    f1: dict[str, Metric] = {"f1": binary_f1} if classes == 2 else {}
    return {"accuracy": accuracy, **f1, "macro_f1": macro_f1, "matthews": matthews}


def bootstrap(metric: Metric, gold: Array, predicted: Array, *, resamples: int = RESAMPLES) -> Interval:
    """A metric with its 95% percentile interval over resampled examples (Efron 1979); the same each time."""
    generator = random.generator("bootstrap", len(gold), resamples)
    values = np.empty(resamples)
    for row in range(resamples):
        chosen = generator.integers(0, len(gold), len(gold))
        values[row] = metric(gold[chosen], predicted[chosen])
    return interval(metric(gold, predicted), values)


def resampled_sums(columns: npt.NDArray[np.float64], *, resamples: int = RESAMPLES) -> npt.NDArray[np.float64]:
    """Sums over resampled examples: float64 of [examples, columns] to [resamples, columns].

    The resamples are those of `bootstrap`. Every metric that is a function of sums over examples has its interval from
    them at the price of one product a resample.
    """
    examples = len(columns)
    generator = random.generator("bootstrap", examples, resamples)
    sums = np.empty((resamples, columns.shape[1]))
    for row in range(resamples):
        times = np.bincount(generator.integers(0, examples, examples), minlength=examples)
        sums[row] = times @ columns
    return sums


def interval(value: float, resampled: npt.NDArray[np.float64]) -> Interval:
    """A figure with the 95% percentile interval of its resampled values: float64 of [resamples].

    NaN stands for a resample in which the figure does not exist and is left out.
    """
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    return Interval(value, float(low), float(high))


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

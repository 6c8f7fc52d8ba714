"""Accuracy, F1 and correlation, with bootstrap intervals. Plain arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.measurements import (
    ClassMeasurement,
    Floats,
    Measurement,
    RankMeasurement,
    SumMeasurement,
    correlation,
    moments,
    ranks,
    ratio,
)
from bertsmith.metrics.resampling import Interval
from bertsmith.metrics.student import t_975

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Metric:
    """A figure of what is true and what is predicted.

    Both are of [examples]: classes, numbered from 0, or numbers; of label sets bool of [examples, labels].

    Attributes:
        greater_is_better: whether the highest value is the best.
        signed_metrics: whether it is a correlation, which goes down to -1.
    """

    measure: Callable[[Array, Array], Measurement]
    greater_is_better: bool = True
    signed_metrics: bool = False

    def __call__(self, gold: Array, predicted: Array) -> float:
        """The figure of all examples."""
        return self.measure(gold, predicted).value


def _of_sums(columns: Callable[[Array, Array], Floats], figure: Callable[[Floats], Floats], **kind: bool) -> Metric:
    return Metric(lambda gold, predicted: SumMeasurement(columns(gold, predicted), figure), **kind)


def _of_classes(figure: Callable[[Floats], Floats], **kind: bool) -> Metric:
    return Metric(
        lambda gold, predicted: ClassMeasurement(gold.astype(np.int64), predicted.astype(np.int64), figure), **kind
    )


def _right(gold: Array, predicted: Array) -> Floats:
    """Whether an example is right, with all of its labels; and 1."""
    right = gold == predicted
    return np.stack([right if right.ndim == 1 else right.all(axis=1), np.ones(len(gold))], axis=1)


def _mean(sums: Floats) -> Floats:
    return sums[:, 0] / sums[:, 1]


def _micro_f1_of_right(sums: Floats) -> Floats:
    # Each that is not right is a false positive of one label and a false negative of another.
    right, examples = sums.T
    return ratio(2 * right, 2 * right + 2 * (examples - right))


def _of_class_1(gold: Array, predicted: Array) -> Floats:
    """Class 1: true positives, and false ones of either kind."""
    true, guessed = gold == 1, predicted == 1
    return np.stack([true & guessed, true != guessed], axis=1).astype(np.float64)


def _f1(sums: Floats) -> Floats:
    right, wrong = sums.T
    return ratio(2 * right, 2 * right + wrong)


def _of_sets(gold: Array, predicted: Array) -> Floats:
    """Three columns a label: whether it is right, predicted, and true."""
    true, guessed = np.asarray(gold, dtype=bool), np.asarray(predicted, dtype=bool)
    return np.stack([true & guessed, guessed, true], axis=2).reshape(len(true), -1).astype(np.float64)


def _micro_f1_of_sets(sums: Floats) -> Floats:
    right, predicted, true = _by_label(sums).sum(axis=1).T
    return ratio(2 * right, predicted + true)


def _macro_f1_of_sets(sums: Floats) -> Floats:
    return _macro_f1(_by_label(sums))


def _by_label(sums: Floats) -> Floats:
    return sums.reshape(len(sums), -1, 3)


def _macro_f1(counts: Floats) -> Floats:
    """Of the counts right, predicted, true: float64 of [choices, labels, 3]."""
    right, predicted, true = np.moveaxis(counts, 2, 0)
    occurring = np.sum(predicted + true > 0, axis=1).astype(np.float64)
    return ratio(np.sum(ratio(2 * right, predicted + true), axis=1), occurring)


def _matthews(counts: Floats) -> Floats:
    right, predicted, true = np.moveaxis(counts, 2, 0)
    examples = true.sum(axis=1)
    covariance = right.sum(axis=1) * examples - np.sum(predicted * true, axis=1)
    norm = (examples**2 - np.sum(true**2, axis=1)) * (examples**2 - np.sum(predicted**2, axis=1))
    return ratio(covariance, np.sqrt(norm))


def _squared_error(gold: Array, predicted: Array) -> Floats:
    """The squared difference; and 1."""
    return np.stack([(gold.astype(np.float64) - predicted.astype(np.float64)) ** 2, np.ones(len(gold))], axis=1)


def _moments(gold: Array, predicted: Array) -> Floats:
    return moments(gold.astype(np.float64), predicted.astype(np.float64))


def _moments_of_ranks(gold: Array, predicted: Array) -> Floats:
    once = np.ones((1, len(gold)))
    a, b = (ranks(side.astype(np.float64), once)[0] for side in (gold, predicted))
    return moments(a, b)


accuracy = _of_sums(_right, _mean)
"""The share of examples whose label is right."""

binary_f1 = _of_sums(_of_class_1, _f1)
"""2TP / (2TP + FP + FN) of class 1 of the classes 0 and 1; 0 where neither side has it."""

macro_f1 = _of_classes(_macro_f1)
"""The mean over the labels of 2TP / (2TP + FP + FN), over the labels that occur on either side."""

micro_f1 = _of_sums(_right, _micro_f1_of_right)
"""2TP / (2TP + FP + FN) with the counts of all labels added up; with one label an example it equals accuracy."""

matthews = _of_classes(_matthews, signed_metrics=True)
"""Matthews' correlation of classes, for any number of them (Gorodkin 2004); 0 where one side is constant."""

pearson = _of_sums(_moments, correlation, signed_metrics=True)
"""Pearson's correlation; 0 where one side is constant. It does not see scales, so that the answers of two models are
exchanged on one."""

spearman = Metric(
    lambda gold, predicted: RankMeasurement(_moments_of_ranks(gold, predicted), correlation), signed_metrics=True
)
"""Spearman's rank correlation: Pearson's over ranks, ties sharing their mean rank."""

mean_squared_error = _of_sums(_squared_error, _mean, greater_is_better=False)
"""The mean of the squared differences."""

exact_match = _of_sums(_right, _mean)
"""The share of examples whose label set is right, no label more and none less."""

micro_f1_of_sets = _of_sums(_of_sets, _micro_f1_of_sets)
"""2TP / (2TP + FP + FN) with the counts of all labels added up; 0 where neither side has a label."""

macro_f1_of_sets = _of_sums(_of_sets, _macro_f1_of_sets)
"""The mean of the labels' 2TP / (2TP + FP + FN), over the labels that occur on either side; 0 where none does."""


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


def class_metrics(classes: int) -> dict[str, Metric]:
    """The figures of so many classes, numbered in their order, the main one first; with two also `f1`, of class 1."""
    f1: dict[str, Metric] = {"f1": binary_f1} if classes == 2 else {}
    return {"accuracy": accuracy, **f1, "macro_f1": macro_f1, "matthews": matthews}


_ALL = {**class_metrics(2), **SET_METRICS, **NUMBER_METRICS}
LOWER_IS_BETTER = frozenset(name for name, metric in _ALL.items() if not metric.greater_is_better)
"""The figures of which the lowest is the best."""
MAY_BE_NEGATIVE = frozenset(name for name, metric in _ALL.items() if metric.signed_metrics)
"""The correlations."""


def over_seeds(values: list[float]) -> Interval:
    """The mean over seeds and its 95% interval by Student's t; one seed has no spread and its interval is a point."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, mean, mean)
    half = t_975(len(values) - 1) * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)

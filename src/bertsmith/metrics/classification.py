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
    """A metric of labels and predictions.

    Both are [examples] (class numbers from 0, or values), or for label sets bool of [examples, labels].

    Attributes:
        greater_is_better: whether higher values are better.
        is_signed: whether the metric is a correlation, from -1 to 1.
    """

    measure: Callable[[Array, Array], Measurement]
    greater_is_better: bool = True
    is_signed: bool = False

    def __call__(self, labels: Array, predicted: Array) -> float:
        """Return the metric over all examples."""
        return self.measure(labels, predicted).value


def _of_sums(columns: Callable[[Array, Array], Floats], figure: Callable[[Floats], Floats], **kind: bool) -> Metric:
    return Metric(lambda labels, predicted: SumMeasurement(columns(labels, predicted), figure), **kind)


def _of_classes(figure: Callable[[Floats], Floats], **kind: bool) -> Metric:
    return Metric(
        lambda labels, predicted: ClassMeasurement(labels.astype(np.int64), predicted.astype(np.int64), figure), **kind
    )


def _is_correct(labels: Array, predicted: Array) -> Floats:
    """Return the columns: 1 if an example is correct in all its labels; 1."""
    correct = labels == predicted
    return np.stack([correct if correct.ndim == 1 else correct.all(axis=1), np.ones(len(labels))], axis=1)


def _mean(sums: Floats) -> Floats:
    return sums[:, 0] / sums[:, 1]


def _micro_f1_of_correct(sums: Floats) -> Floats:
    # Each wrong prediction is a false positive of one label and a false negative of a different label.
    correct, examples = sums.T
    return ratio(2 * correct, 2 * correct + 2 * (examples - correct))


def _of_class_1(labels: Array, predicted: Array) -> Floats:
    """Return the columns for class 1: true positives; false positives and false negatives."""
    labelled, predicted = labels == 1, predicted == 1
    return np.stack([labelled & predicted, labelled != predicted], axis=1).astype(np.float64)


def _f1(sums: Floats) -> Floats:
    correct, wrong = sums.T
    return ratio(2 * correct, 2 * correct + wrong)


def _of_sets(labels: Array, predicted: Array) -> Floats:
    """Return three columns per label: correct, predicted, in the labels."""
    labelled, predicted = np.asarray(labels, dtype=bool), np.asarray(predicted, dtype=bool)
    return np.stack([labelled & predicted, predicted, labelled], axis=2).reshape(len(labelled), -1).astype(np.float64)


def _micro_f1_of_sets(sums: Floats) -> Floats:
    correct, predicted, labelled = _by_label(sums).sum(axis=1).T
    return ratio(2 * correct, predicted + labelled)


def _macro_f1_of_sets(sums: Floats) -> Floats:
    return _macro_f1(_by_label(sums))


def _by_label(sums: Floats) -> Floats:
    return sums.reshape(len(sums), -1, 3)


def _macro_f1(counts: Floats) -> Floats:
    """Return macro F1 from the counts correct, predicted, labelled: float64 of [samples, labels, 3]."""
    correct, predicted, labelled = np.moveaxis(counts, 2, 0)
    occurring = np.sum(predicted + labelled > 0, axis=1).astype(np.float64)
    return ratio(np.sum(ratio(2 * correct, predicted + labelled), axis=1), occurring)


def _matthews(counts: Floats) -> Floats:
    correct, predicted, labelled = np.moveaxis(counts, 2, 0)
    examples = labelled.sum(axis=1)
    covariance = correct.sum(axis=1) * examples - np.sum(predicted * labelled, axis=1)
    norm = (examples**2 - np.sum(labelled**2, axis=1)) * (examples**2 - np.sum(predicted**2, axis=1))
    return ratio(covariance, np.sqrt(norm))


def _squared_error(labels: Array, predicted: Array) -> Floats:
    """Return the columns: squared difference; 1."""
    return np.stack([(labels.astype(np.float64) - predicted.astype(np.float64)) ** 2, np.ones(len(labels))], axis=1)


def _moments(labels: Array, predicted: Array) -> Floats:
    return moments(labels.astype(np.float64), predicted.astype(np.float64))


def _moments_of_ranks(labels: Array, predicted: Array) -> Floats:
    once = np.ones((1, len(labels)))
    a, b = (ranks(side.astype(np.float64), once)[0] for side in (labels, predicted))
    return moments(a, b)


accuracy = _of_sums(_is_correct, _mean)
"""The share of examples with the correct label."""

binary_f1 = _of_sums(_of_class_1, _f1)
"""2TP / (2TP + FP + FN) of class 1 of the classes 0 and 1; 0 if class 1 is in neither labels nor predictions."""

macro_f1 = _of_classes(_macro_f1)
"""The mean of 2TP / (2TP + FP + FN) over the labels that occur in labels or predictions."""

micro_f1 = _of_sums(_is_correct, _micro_f1_of_correct)
"""2TP / (2TP + FP + FN) with counts summed over the labels; with one label per example it equals accuracy."""

matthews = _of_classes(_matthews, is_signed=True)
"""Matthews' correlation for any number of classes (Gorodkin 2004); 0 if labels or predictions are constant."""

pearson = _of_sums(_moments, correlation, is_signed=True)
"""Pearson's correlation; 0 if labels or predictions are constant. Numbers are standardized first: the correlation does
not depend on scale, and permutation tests exchange the answers of two models on one scale."""

spearman = Metric(
    lambda labels, predicted: RankMeasurement(_moments_of_ranks(labels, predicted), correlation), is_signed=True
)
"""Spearman's rank correlation: Pearson's correlation of ranks; ties share their mean rank."""

mean_squared_error = _of_sums(_squared_error, _mean, greater_is_better=False)
"""The mean of the squared differences."""

exact_match = _of_sums(_is_correct, _mean)
"""The share of examples with exactly the correct label set."""

micro_f1_of_sets = _of_sums(_of_sets, _micro_f1_of_sets)
"""2TP / (2TP + FP + FN) with counts summed over the labels; 0 if neither labels nor predictions have a label."""

macro_f1_of_sets = _of_sums(_of_sets, _macro_f1_of_sets)
"""The mean of 2TP / (2TP + FP + FN) over the labels that occur in labels or predictions; 0 if no label occurs."""


SET_METRICS: dict[str, Metric] = {
    "micro_f1": micro_f1_of_sets,
    "macro_f1": macro_f1_of_sets,
    "accuracy": exact_match,
}
"""The metrics of label sets, the main metric first."""

NUMBER_METRICS: dict[str, Metric] = {
    "pearson": pearson,
    "spearman": spearman,
    "mean_squared_error": mean_squared_error,
}
"""The metrics of numbers, the main metric first."""


def class_metrics(classes: int) -> dict[str, Metric]:
    """Return the metrics for this number of classes, the main metric first; for two classes also `f1` of class 1."""
    f1: dict[str, Metric] = {"f1": binary_f1} if classes == 2 else {}
    return {"accuracy": accuracy, **f1, "macro_f1": macro_f1, "matthews": matthews}


_ALL = {**class_metrics(2), **SET_METRICS, **NUMBER_METRICS}
LOWER_IS_BETTER = frozenset(name for name, metric in _ALL.items() if not metric.greater_is_better)
"""The metrics for which lower values are better."""
SIGNED_METRICS = frozenset(name for name, metric in _ALL.items() if metric.is_signed)
"""The metrics from -1 to 1."""


def over_seeds(values: list[float]) -> Interval:
    """Return the mean over seeds and its 95% interval by Student's t; for one seed, the interval is a point."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, mean, mean)
    half = t_975(len(values) - 1) * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)

"""Measurements: answers in a form from which a metric can be computed quickly for any sample of the examples.

Resampling (`resampling.py`) takes each example several times or not at all; comparing two models (`comparison.py`)
exchanges their answers. A Measurement supports both. There are three kinds: from sums over the examples, from class
counts, and from ranks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


class Measurement(ABC):
    """The answers to some examples, and a metric of them."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of examples."""

    @abstractmethod
    def over(self, times: Floats) -> Floats:
        """Return the metric of each sample: float64 of [samples]; NaN if it is undefined.

        Args:
            times: float64 of [samples, examples], how often each example is in the sample.
        """

    @abstractmethod
    def differs(self, other: Self) -> Booleans:
        """Return on which examples the answers of two models score differently: bool of [examples]."""

    @abstractmethod
    def exchanged(self, other: Self, where: Booleans, swaps: Booleans) -> tuple[Floats, Floats]:
        """Return the metrics of both models, float64 of [exchanges], after exchanging some of their answers.

        Args:
            where: bool of [examples], the result of `differs`.
            swaps: bool of [exchanges, differing examples], whether to exchange the answers.
        """

    @property
    def value(self) -> float:
        """The metric over all examples."""
        return float(self.over(np.ones((1, len(self))))[0])


@dataclass(frozen=True)
class SumMeasurement(Measurement):
    """A metric computed from sums over the examples.

    Attributes:
        table: float64 of [examples, columns], the contribution of each example.
        figure: function from the sums, float64 of [samples, columns], to float64 of [samples].
    """

    table: Floats
    figure: Callable[[Floats], Floats]

    def __len__(self) -> int:
        return len(self.table)

    def over(self, times: Floats) -> Floats:
        """Compute the sums as a matrix product."""
        return self.figure(times @ self.table)

    def differs(self, other: Self) -> Booleans:
        """Compare the contributions of each example."""
        found: Booleans = (self.table != other.table).any(axis=1)
        return found

    def exchanged(self, other: Self, where: Booleans, swaps: Booleans) -> tuple[Floats, Floats]:
        """Compute the changes of the sums as a matrix product."""
        moved = swaps @ (other.table - self.table)[where]
        return self.figure(self.table.sum(axis=0) + moved), self.figure(other.table.sum(axis=0) - moved)


@dataclass(frozen=True)
class ClassMeasurement(Measurement):
    """A metric computed from the counts of each class: correct, predicted, labelled.

    Attributes:
        labels, predicted: int64 of [examples], class numbers from 0.
        figure: function from the counts, float64 of [samples, classes, 3], to float64 of [samples].
    """

    labels: Ints
    predicted: Ints
    figure: Callable[[Floats], Floats]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """The number of classes: the highest class number plus one."""
        return 1 + int(max(self.labels.max(), self.predicted.max()))

    def over(self, times: Floats) -> Floats:
        """Count the classes of each sample."""
        return self.figure(self._counts(times, self.classes))

    def _counts(self, times: Floats, classes: int) -> Floats:
        pairs, which = np.unique(self.labels * classes + self.predicted, return_inverse=True)
        times = _by_class(times, which, len(pairs))  # few pairs of classes, many examples
        labels, predicted = np.divmod(pairs, classes)
        correct = predicted == labels
        parts = ((times[:, correct], labels[correct]), (times, predicted), (times, labels))
        return np.stack([_by_class(weights, names, classes) for weights, names in parts], axis=2)

    def differs(self, other: Self) -> Booleans:
        """Compare the predicted classes."""
        found: Booleans = self.predicted != other.predicted
        return found

    def exchanged(self, other: Self, where: Booleans, swaps: Booleans) -> tuple[Floats, Floats]:
        """Count the exchanged answers."""
        classes, once, times = max(self.classes, other.classes), np.ones((1, len(self))), swaps.astype(np.float64)
        given, taken = (
            type(self)(self.labels[where], side.predicted[where], self.figure)._counts(times, classes)
            for side in (self, other)
        )
        moved = taken - given
        return self.figure(self._counts(once, classes) + moved), self.figure(other._counts(once, classes) - moved)


def _by_class(weights: Floats, names: Ints, classes: int) -> Floats:
    """Sum weights, float64 of [rows, examples], by the class of the examples: [rows, classes]."""
    sums = np.zeros((len(weights), classes))
    if len(names):
        order = np.argsort(names, kind="stable")
        starts = np.flatnonzero(np.diff(names[order], prepend=-1))
        sums[:, names[order[starts]]] = np.add.reduceat(np.take(weights, order, axis=1), starts, axis=1)
    return sums


@dataclass(frozen=True)
class RankMeasurement(SumMeasurement):
    """Spearman's correlation: Pearson's correlation of ranks, which are the table's first columns (`moments`).

    Each sample is ranked separately. Answers are exchanged as ranks, because two models may answer on different scales;
    they are not ranked again after the exchange.
    """

    def over(self, times: Floats) -> Floats:
        """Rank each sample and compute the sums over its ranks."""
        middle = (times.sum(axis=1, keepdims=True) + 1) / 2  # the mean of the ranks
        a, b = (ranks(self.table[:, side], times) - middle for side in (0, 1))
        sums = [np.einsum("ij,ij,ij->i", times, *pair) for pair in ((a, a), (b, b), (a, b))]
        nothing = np.zeros(len(times))
        return correlation(np.stack([nothing, nothing, *sums, times.sum(axis=1)], axis=1))


def ranks(values: Floats, times: Floats) -> Floats:
    """Return ranks from 1; ties share their mean rank: float64 of [samples, examples].

    Args:
        values: float64 of [examples].
        times: float64 of [samples, examples], how often each example is in the sample.
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    counts = _by_class(times, inverse, len(distinct))
    return np.take(np.cumsum(counts, axis=1) - (counts - 1) / 2, inverse, axis=1)


def moments(a: Floats, b: Floats) -> Floats:
    """Return the columns a, b, a², b², ab, 1, with a and b standardized: float64 of [examples, 6]."""
    a, b = _standardized(a), _standardized(b)
    return np.stack([a, b, a * a, b * b, a * b, np.ones(len(a))], axis=1)


def _standardized(numbers: Floats) -> Floats:
    """Scale numbers to mean 0 and norm 1; return zeros if all are equal."""
    centred: Floats = numbers - np.mean(numbers)
    norm = np.sqrt(centred @ centred)
    return centred / norm if norm > 0 and np.ptp(numbers) > 0 else np.zeros_like(numbers)


def correlation(sums: Floats) -> Floats:
    """Return Pearson's correlation from the sums of `moments`, [samples, 6] to [samples]; 0 if a or b is constant."""
    a, b, aa, bb, ab, count = sums.T
    spread_a, spread_b = aa - a * a / count, bb - b * b / count
    constant = (spread_a <= _ROUNDING * aa) | (spread_b <= _ROUNDING * bb)
    norm = np.where(constant, 0.0, np.sqrt(np.maximum(spread_a, 0.0) * np.maximum(spread_b, 0.0)))
    return np.clip(ratio(ab - a * b / count, norm), -1.0, 1.0)


_ROUNDING = 1e-13
"""A variance up to this fraction of the mean square is the rounding error of a constant."""


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide element by element; 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)

"""Answers in the forms from which a figure follows for any choice of the examples.

Resampling (`resampling.py`) takes examples several times or not at all, and comparing two models (`comparison.py`)
exchanges their answers. A metric gives a Measurement, which does both: of sums over the examples, of counts of classes,
or of ranks.
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
    """The answers to some examples, and one figure of them."""

    @abstractmethod
    def __len__(self) -> int:
        """The examples."""

    @abstractmethod
    def over(self, times: Floats) -> Floats:
        """The figure of each choice: float64 of [choices]; NaN where it does not exist.

        Args:
            times: float64 of [choices, examples], how often each example is taken.
        """

    @abstractmethod
    def differs(self, other: Self) -> Booleans:
        """bool of [examples]: where another model's answers to the same examples count otherwise."""

    @abstractmethod
    def exchanged(self, other: Self, where: Booleans, swaps: Booleans) -> tuple[Floats, Floats]:
        """The figures of both, each float64 of [exchanges], once some answers have been exchanged between them.

        Args:
            where: bool of [examples]: all that `differs`.
            swaps: bool of [exchanges, these examples]: those whose answers are exchanged.
        """

    @property
    def value(self) -> float:
        """The figure of all examples."""
        return float(self.over(np.ones((1, len(self))))[0])


@dataclass(frozen=True)
class SumMeasurement(Measurement):
    """A figure that follows from sums over the examples.

    Attributes:
        table: float64 of [examples, columns]: what each example adds.
        figure: the sums, float64 of [choices, columns], to float64 of [choices].
    """

    table: Floats
    figure: Callable[[Floats], Floats]

    def __len__(self) -> int:
        return len(self.table)

    def over(self, times: Floats) -> Floats:
        """By one product."""
        return self.figure(times @ self.table)

    def differs(self, other: Self) -> Booleans:
        """Where an example adds something else."""
        found: Booleans = (self.table != other.table).any(axis=1)
        return found

    def exchanged(self, other: Self, where: Booleans, swaps: Booleans) -> tuple[Floats, Floats]:
        """By one product with the differences."""
        moved = swaps @ (other.table - self.table)[where]
        return self.figure(self.table.sum(axis=0) + moved), self.figure(other.table.sum(axis=0) - moved)


@dataclass(frozen=True)
class ClassMeasurement(Measurement):
    """A figure that follows from the counts of each class: right, predicted, true.

    Attributes:
        gold, predicted: int64 of [examples], the classes, numbered from 0.
        figure: the counts, float64 of [choices, classes, 3], to float64 of [choices].
    """

    gold: Ints
    predicted: Ints
    figure: Callable[[Floats], Floats]

    def __len__(self) -> int:
        return len(self.gold)

    @property
    def classes(self) -> int:
        """As many as the highest number asks for."""
        return 1 + int(max(self.gold.max(), self.predicted.max()))

    def over(self, times: Floats) -> Floats:
        """By counting."""
        return self.figure(self._counts(times, self.classes))

    def _counts(self, times: Floats, classes: int) -> Floats:
        pairs, which = np.unique(self.gold * classes + self.predicted, return_inverse=True)
        times = _by_class(times, which, len(pairs))  # there are few pairs of classes, and many examples
        gold, predicted = np.divmod(pairs, classes)
        right = predicted == gold
        parts = ((times[:, right], gold[right]), (times, predicted), (times, gold))
        return np.stack([_by_class(weights, names, classes) for weights, names in parts], axis=2)

    def differs(self, other: Self) -> Booleans:
        """Where another class is predicted."""
        found: Booleans = self.predicted != other.predicted
        return found

    def exchanged(self, other: Self, where: Booleans, swaps: Booleans) -> tuple[Floats, Floats]:
        """By counting what is exchanged."""
        classes, once, times = max(self.classes, other.classes), np.ones((1, len(self))), swaps.astype(np.float64)
        given, taken = (
            type(self)(self.gold[where], side.predicted[where], self.figure)._counts(times, classes)
            for side in (self, other)
        )
        moved = taken - given
        return self.figure(self._counts(once, classes) + moved), self.figure(other._counts(once, classes) - moved)


def _by_class(weights: Floats, names: Ints, classes: int) -> Floats:
    """The weights, float64 of [rows, examples], added up by the class of the examples: [rows, classes]."""
    sums = np.zeros((len(weights), classes))
    if len(names):
        order = np.argsort(names, kind="stable")
        starts = np.flatnonzero(np.diff(names[order], prepend=-1))
        sums[:, names[order[starts]]] = np.add.reduceat(np.take(weights, order, axis=1), starts, axis=1)
    return sums


@dataclass(frozen=True)
class RankMeasurement(SumMeasurement):
    """Spearman's correlation: Pearson's over ranks, which are the table's first columns (`moments`).

    Every choice of the examples is ranked by itself. Answers are exchanged as ranks, for two models may answer on two
    scales, and not ranked again.
    """

    def over(self, times: Floats) -> Floats:
        """By sums over the ranks in each choice."""
        middle = (times.sum(axis=1, keepdims=True) + 1) / 2  # the mean of the ranks
        a, b = (ranks(self.table[:, side], times) - middle for side in (0, 1))
        sums = [np.einsum("ij,ij,ij->i", times, *pair) for pair in ((a, a), (b, b), (a, b))]
        nothing = np.zeros(len(times))
        return correlation(np.stack([nothing, nothing, *sums, times.sum(axis=1)], axis=1))


def ranks(values: Floats, times: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean rank: float64 of [choices, examples].

    Args:
        values: float64 of [examples].
        times: float64 of [choices, examples], how often each is there.
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    counts = _by_class(times, inverse, len(distinct))
    return np.take(np.cumsum(counts, axis=1) - (counts - 1) / 2, inverse, axis=1)


def moments(a: Floats, b: Floats) -> Floats:
    """Both numbers, brought to mean 0 and norm 1, their squares, their product; and 1: float64 of [examples, 6]."""
    a, b = _standardized(a), _standardized(b)
    return np.stack([a, b, a * a, b * b, a * b, np.ones(len(a))], axis=1)


def _standardized(numbers: Floats) -> Floats:
    """Of mean 0 and norm 1; zeros where all are the same."""
    centred: Floats = numbers - np.mean(numbers)
    norm = np.sqrt(centred @ centred)
    return centred / norm if norm > 0 and np.ptp(numbers) > 0 else np.zeros_like(numbers)


def correlation(sums: Floats) -> Floats:
    """Pearson's correlation of the sums of `moments`, [choices, 6] to [choices]; 0 where a side is constant."""
    a, b, aa, bb, ab, count = sums.T
    spread_a, spread_b = aa - a * a / count, bb - b * b / count
    constant = (spread_a <= _ROUNDING * aa) | (spread_b <= _ROUNDING * bb)
    norm = np.where(constant, 0.0, np.sqrt(np.maximum(spread_a, 0.0) * np.maximum(spread_b, 0.0)))
    return np.clip(ratio(ab - a * b / count, norm), -1.0, 1.0)


_ROUNDING = 1e-13
"""A variance of no more than so much of the mean square is the rounding error of a constant."""


def ratio(top: Floats, bottom: Floats) -> Floats:
    """top / bottom, and 0 where the bottom is 0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)

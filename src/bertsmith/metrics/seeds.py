"""Combine the metrics of several seeds: mean, median or best seed, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from bertsmith.records.finetuning import MeanFigure
from bertsmith.records.suite import OverSeeds, TableFigure


def one_figure(metric: MeanFigure, over_seeds: OverSeeds, best: int) -> TableFigure:
    """Return the value for a table, with its interval if it has one; `best` is the index of the best seed.

    The median has the interval of `median_interval`. The best of several seeds has no interval, because it was selected
    for being the highest.
    """
    values = metric.seeds
    if over_seeds == "mean" or len(values) == 1:
        return TableFigure(value=metric.mean, low=metric.low, high=metric.high)
    if over_seeds == "best":
        return TableFigure(value=values[best], low=None, high=None)
    low, high = median_interval(values) or (None, None)
    return TableFigure(value=float(np.median(values)), low=low, high=high)


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the interval between two order statistics that contains the median with a probability of at least 95%.

    It holds for any distribution (Conover 1999, "Practical Nonparametric Statistics", 3.2). None for fewer than six
    values: for the range of five values the probability is only 93.75%.
    """
    count, ordered, tail, place = len(values), sorted(values), 0.0, -1
    while 2 * (tail + comb(count, place + 1) / 2**count) <= 0.05:
        place += 1
        tail += comb(count, place) / 2**count
    return None if place < 0 else (ordered[place], ordered[count - 1 - place])

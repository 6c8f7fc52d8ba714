"""The figures of several seeds as one: their mean, their median, or that of the best seed, and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any, Literal

import numpy as np

OverSeeds = Literal["mean", "median", "best"]


def one_figure(metric: Mapping[str, Any], over_seeds: OverSeeds, best: int) -> dict[str, float | None]:
    """`value`, and `low` and `high`, which are None where there is no interval.

    `metric` holds `seeds`, a value each, their `mean`, and `low` and `high`: the interval of the mean, of one seed that
    over its examples. The median has the interval of `median_interval`; the best of several has none, as it is the
    highest because it was looked for. `best` is the place of the best seed.
    """
    values = metric["seeds"]
    if over_seeds == "mean" or len(values) == 1:
        return {"value": metric["mean"], "low": metric["low"], "high": metric["high"]}
    if over_seeds == "best":
        return {"value": values[best], "low": None, "high": None}
    low, high = median_interval(values) or (None, None)
    return {"value": float(np.median(values)), "low": low, "high": high}


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval between two order statistics that holds the median at 95% at least, whatever the distribution.

    (Conover 1999, "Practical Nonparametric Statistics", 3.2.) None below six values: from the lowest to the highest of
    five it is 93.75%.
    """
    count, ordered, tail, place = len(values), sorted(values), 0.0, -1
    while 2 * (tail + comb(count, place + 1) / 2**count) <= 0.05:
        place += 1
        tail += comb(count, place) / 2**count
    return None if place < 0 else (ordered[place], ordered[count - 1 - place])

"""Whether a difference between two models on the same examples is more than chance. Plain arrays in, numbers out.

Two questions, two methods; both resample examples (texts, sentences, questions), which are what was drawn from the
world, and both leave the pairing as it is, because most examples are easy or hard for both models alike.

- *How large is the difference?* The paired bootstrap (Efron 1979; Koehn 2004): the examples are drawn again with
  replacement, the same ones for both models, and the difference B - A is taken each time. Its interval is the
  percentile interval, expanded to the level that Student's t has (Hesterberg 2015) with as many degrees of freedom as
  there are examples that the two answer otherwise, less one. The others add nothing to the spread, and with few that do
  the plain percentile interval is too narrow: of four wins against none among 300 examples it makes a difference that
  is real. Where fewer than six examples differ the interval reaches to 0. By simulation it holds the true difference
  at least 93 times of 100 (`tests/metrics/test_comparison.py`); BCa intervals do not where few examples differ.
- *Would two equal models differ so much?* The paired permutation test (Fisher 1935; "approximate randomization", Yeh
  2000): if it made no difference whose answer is whose, the two answers to each example could be exchanged. The p-value
  is the share of the exchanges whose difference is at least as large, in either direction. All of them are taken where
  there are few (of accuracy it is then McNemar's exact test), else a sample.

Neither needs a distribution for the metric, so they fit those that are no means over the examples, such as F1 and
correlations, where a t-test does not (Dror et al. 2018; Berg-Kirkpatrick et al. 2012 on how much such figures say).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np

from bertsmith.metrics.measurements import Booleans, Floats, Measurement
from bertsmith.metrics.resampling import resampled
from bertsmith.metrics.student import t_975
from bertsmith.runtime import random

RESAMPLES = 5_000
"""Of the examples, for the interval."""
FEWEST = 6
"""Examples that have to differ before a difference can be real: of fewer no exchange test has a p-value below 0.05."""
EXCHANGES = 10_000
"""Of answers, for the p-value; all that there are where they are no more."""
POWER = 0.8
_SAME = 1e-9
"""Differences that are no further apart than this (of a figure of 1) are rounding."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Difference:
    """One metric of two models on the same examples, and their difference B - A.

    Attributes:
        a, b: the metric of either model.
        difference: b - a.
        low, high: its 95% interval.
        real: whether the interval leaves out 0.
        p_value: how often two equal models would differ at least so much.
        standard_error: of the difference.
        examples_needed: about how many examples like these would show a difference of this size, in 80 of 100 files;
            None where there is no difference.
        differing_examples: examples on which the answers of the two count otherwise.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    real: bool
    p_value: float
    standard_error: float
    examples_needed: int | None
    differing_examples: int


def compare(a: Mapping[str, Measurement], b: Mapping[str, Measurement]) -> dict[str, Difference]:
    """Each metric of two models on the same examples; the same each time."""
    both = {(side, name): found[name] for side, found in (("a", a), ("b", b)) for name in a}
    over = resampled(both, RESAMPLES)
    return {name: _difference(a[name], b[name], over["b", name] - over["a", name]) for name in a}


def _difference(a: Measurement, b: Measurement, over: Floats) -> Difference:
    difference, where = b.value - a.value, a.differs(b)
    differing = int(where.sum())
    if abs(difference) <= _SAME:
        difference = 0.0
    low, high = interval(over, differing)
    error = float(np.nanstd(over, ddof=1))
    return Difference(
        a.value,
        b.value,
        difference,
        low,
        high,
        low > 0 or high < 0,
        p_value(a, b, where),
        error,
        examples_needed(difference, error, len(a)),
        differing,
    )


def interval(over: Floats, differing: int) -> tuple[float, float]:
    """The expanded 95% percentile interval of a difference.

    Args:
        over: float64 of [resamples]: the difference in each. NaN where it does not exist, which is left out.
        differing: the examples on which the answers count otherwise.
    """
    level = NormalDist().cdf(-math.sqrt(differing / (differing - 1)) * t_975(differing - 1)) if differing > 1 else 0.0
    low, high = (0.0 if abs(end) <= _SAME else float(end) for end in np.nanquantile(over, (level, 1 - level)))
    return (low, high) if differing >= FEWEST else (min(low, 0.0), max(high, 0.0))


def p_value(a: Measurement, b: Measurement, where: Booleans) -> float:
    """Two-sided, of the paired permutation test over the examples that differ: bool of [examples].

    A sample of exchanges counts the answers as they are for one of them, so that no p-value is 0 (Phipson and Smyth
    2010).
    """
    observed, count, extreme = abs(b.value - a.value), 0, 0
    exact = 2 ** min(int(where.sum()), 64) <= EXCHANGES
    for swaps in _all_exchanges(int(where.sum())) if exact else _some_exchanges(int(where.sum())):
        of_a, of_b = a.exchanged(b, where, swaps)
        extreme += int(np.sum(np.abs(of_b - of_a) >= observed - _SAME))
        count += len(swaps)
    return extreme / count if exact else (1 + extreme) / (1 + count)


def _all_exchanges(examples: int) -> Iterator[Booleans]:
    yield np.array(list(product((False, True), repeat=examples)), dtype=bool)


def _some_exchanges(examples: int) -> Iterator[Booleans]:
    """Each example is exchanged in half of them, by lot; the same each time."""
    generator = random.generator("exchanges", examples, EXCHANGES)
    rows = max(1, _BLOCK // examples)
    for start in range(0, EXCHANGES, rows):
        yield generator.random((min(rows, EXCHANGES - start), examples)) < 0.5


def examples_needed(difference: float, standard_error: float, examples: int) -> int | None:
    """About how many examples would show a difference of this size at the level of 5% with a power of 80%.

    n * ((z(0.975) + z(0.8)) * standard error / difference)^2: the standard error falls with the root of n. An estimate
    from the very difference that was found, so as rough as that is.
    """
    if difference == 0:
        return None
    normal = NormalDist()
    ratio = (normal.inv_cdf(0.975) + normal.inv_cdf(POWER)) * standard_error / abs(difference)
    return max(1, math.ceil(examples * ratio**2))

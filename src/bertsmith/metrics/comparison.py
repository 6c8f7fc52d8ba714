"""Whether a difference between two models on the same examples is more than chance. Plain arrays in, numbers out.

There are two questions and two methods. Both resample examples (texts, sentences, questions), because examples are what
was sampled. Both keep the pairing of answers, because most examples are easy for both models or hard for both.

- *How large is the difference?* The paired bootstrap (Efron 1979; Koehn 2004) resamples the examples with replacement,
  the same for both models, and computes the difference B - A each time. The result is the percentile interval,
  expanded to the level of Student's t (Hesterberg 2015); the degrees of freedom are the number of examples on which the
  models differ, minus one. The other examples add no variance. If few examples differ, the plain percentile interval is
  too narrow: with 4 wins to 0 among 300 examples it would report a real difference. If fewer than six examples differ,
  the interval always includes 0. In simulations it contains the true difference at least 93 times in 100
  (`tests/metrics/test_comparison.py`); BCa intervals do not if few examples differ.
- *Would two equally good models differ this much?* The paired permutation test (Fisher 1935; "approximate
  randomization", Yeh 2000): if the models were equivalent, their answers to each example could be exchanged. The
  p-value is the share of exchanges with at least as large a difference, in either direction. All exchanges are
  computed if there are few (for accuracy this is McNemar's exact test), otherwise a sample.

Neither method assumes a distribution, so both are valid for metrics that are not means over the examples, such as F1
and correlations, for which a t-test is not (Dror et al. 2018; on the interpretation see Berg-Kirkpatrick et al. 2012).
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
"""Number of resamples for the interval."""
FEWEST = 6
"""Minimum number of differing examples for a real difference: with fewer, no permutation test has p < 0.05."""
EXCHANGES = 10_000
"""Maximum number of exchanges for the p-value; if there are fewer, all are computed."""
POWER = 0.8
_SAME = 1e-9
"""Differences up to this size (relative to a metric of 1) are rounding errors."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Difference:
    """A metric of two models on the same examples, and their difference B - A.

    Attributes:
        a, b: the metric of each model.
        difference: b - a.
        low, high: its 95% interval.
        real: whether the interval excludes 0.
        p_value: how often two equally good models would differ at least this much.
        standard_error: of the difference.
        examples_needed: approximate number of such examples that would show this difference in 80 of 100 files; None if
            there is no difference.
        differing_examples: number of examples on which the answers of the two models score differently.
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


def compare_measurements(a: Mapping[str, Measurement], b: Mapping[str, Measurement]) -> dict[str, Difference]:
    """Compare each metric of two models on the same examples; reproducible."""
    both = {(side, name): found[name] for side, found in (("a", a), ("b", b)) for name in a}
    over = resampled(both, RESAMPLES)
    return {name: _difference(a[name], b[name], over["b", name] - over["a", name]) for name in a}


def _difference(a: Measurement, b: Measurement, over: Floats) -> Difference:
    difference, where = b.value - a.value, a.differs(b)
    differing = int(where.sum())
    if abs(difference) <= _SAME:
        difference = 0.0
    low, high = difference_interval(over, differing)
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


def difference_interval(over: Floats, differing: int) -> tuple[float, float]:
    """Return the expanded 95% percentile interval of a difference.

    Args:
        over: float64 of [resamples], the difference in each resample; NaN (undefined) is ignored.
        differing: number of examples on which the answers score differently.
    """
    level = NormalDist().cdf(-math.sqrt(differing / (differing - 1)) * t_975(differing - 1)) if differing > 1 else 0.0
    low, high = (0.0 if abs(end) <= _SAME else float(end) for end in np.nanquantile(over, (level, 1 - level)))
    return (low, high) if differing >= FEWEST else (min(low, 0.0), max(high, 0.0))


def p_value(a: Measurement, b: Measurement, where: Booleans) -> float:
    """Return the two-sided p-value of the paired permutation test over the differing examples, bool of [examples].

    A sample of exchanges also counts the observed assignment, so no p-value is 0 (Phipson and Smyth 2010).
    """
    observed, count, extreme = abs(b.value - a.value), 0, 0
    exact = 2 ** min(int(where.sum()), 64) <= EXCHANGES
    for swaps in _all_exchanges(int(where.sum())) if exact else _some_exchanges(int(where.sum())):
        figures_a, figures_b = a.exchanged(b, where, swaps)
        extreme += int(np.sum(np.abs(figures_b - figures_a) >= observed - _SAME))
        count += len(swaps)
    return extreme / count if exact else (1 + extreme) / (1 + count)


def _all_exchanges(examples: int) -> Iterator[Booleans]:
    yield np.array(list(product((False, True), repeat=examples)), dtype=bool)


def _some_exchanges(examples: int) -> Iterator[Booleans]:
    """Yield random exchanges; each example is exchanged with probability 0.5. Reproducible."""
    generator = random.generator("exchanges", examples, EXCHANGES)
    rows = max(1, _BLOCK // examples)
    for start in range(0, EXCHANGES, rows):
        yield generator.random((min(rows, EXCHANGES - start), examples)) < 0.5


def examples_needed(difference: float, standard_error: float, examples: int) -> int | None:
    """Estimate how many examples would show a difference of this size at the 5% level with a power of 80%.

    n * ((z(0.975) + z(0.8)) * standard error / difference)^2, because the standard error decreases with the square root
    of n. The estimate uses the observed difference, so it is as uncertain as the difference.
    """
    if difference == 0:
        return None
    normal = NormalDist()
    ratio = (normal.inv_cdf(0.975) + normal.inv_cdf(POWER)) * standard_error / abs(difference)
    return max(1, math.ceil(examples * ratio**2))

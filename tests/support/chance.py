"""Statistical checks of counts: what a count may differ by if only chance is at work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

STANDARD_DEVIATIONS = 4.8916
"""The normal distribution is farther out on either side with probability 10^-6."""


def check_share(what: str, count: int, total: int, share: float) -> None:
    """Check that a count of independent draws fits the probability of each."""
    away = (count - total * share) / math.sqrt(total * share * (1 - share))
    assert abs(away) <= STANDARD_DEVIATIONS, f"{what}: {count} of {total}, {away:.1f} standard deviations from {share}"


def chi_square_of(counts: npt.NDArray[Any]) -> float:
    """The chi-square statistic of counts against the uniform distribution."""
    mean = counts.mean()
    return float(((counts - mean) ** 2 / mean).sum())


def chi_square_limit(degrees: int) -> float:
    """The value that chi-square exceeds with probability 3e-5 (Wilson and Hilferty 1931)."""
    return degrees * (1 - 2 / (9 * degrees) + 4 * math.sqrt(2 / (9 * degrees))) ** 3


def check_chi_square(what: str, statistic: float, degrees: int) -> None:
    """Check that counts are neither too uneven nor too even (Wilson and Hilferty 1931)."""
    third = 2 / (9 * degrees)
    low, high = (degrees * max(0.0, 1 - third + side * STANDARD_DEVIATIONS * math.sqrt(third)) ** 3 for side in (-1, 1))
    assert low <= statistic <= high, f"{what}: chi-square {statistic:.1f} at {degrees} degrees of freedom"


def check_uniform(what: str, counts: Sequence[int]) -> None:
    """Check that each of the values was drawn as often, up to chance."""
    check_chi_square(what, chi_square_of(np.asarray(counts)), len(counts) - 1)

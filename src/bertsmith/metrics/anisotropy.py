"""Anisotropy: whether vectors point in all directions, or lie in a narrow cone in which every cosine is near 1.

Ethayarajh 2019, "How Contextual are Contextualized Word Representations?", section 3, measures it by the mean cosine of
random vectors. Mu and Viswanath 2018, "All-but-the-Top", section 2, show that a common mean vector and the first
principal components dominate such vectors, and that vectors are more useful without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.config.verb import Result

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Anisotropy(Result):
    """Mean, 5th and 95th percentile of the cosines of all pairs of vectors.

    `centred_...` are the same after subtracting the mean vector (None if all vectors are equal).
    `first_component_share` is the share of the variance around the mean that the first principal component explains.
    """

    mean_cosine: float
    cosine_5th_percentile: float
    cosine_95th_percentile: float
    centred_mean_cosine: float | None
    centred_cosine_5th_percentile: float | None
    centred_cosine_95th_percentile: float | None
    first_component_share: float | None


def anisotropy(vectors: Floats) -> Anisotropy:
    """Measure at least two vectors, float of [vectors, dimensions]; memory grows with the square of their number."""
    given = vectors.astype(np.float64)
    centred = given - given.mean(axis=0)
    # The differences of equal vectors are rounding errors and have no direction.
    spread = np.square(centred).sum() > 1e-12 * np.square(given).sum()
    if not spread:
        return Anisotropy(*_cosines(given), None, None, None, None)
    variances = np.square(np.linalg.svd(centred, compute_uv=False))
    return Anisotropy(*_cosines(given), *_cosines(centred), float(variances[0] / variances.sum()))


def mean_cosine(vectors: Floats) -> float:
    """Return the mean cosine of all pairs of vectors, computed from the sum of the unit vectors."""
    units = _units(vectors.astype(np.float64))
    count = len(units)
    return float((np.square(units.sum(axis=0)).sum() - np.square(units).sum()) / (count * (count - 1)))


def _cosines(vectors: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    units = _units(vectors)
    cosines = (units @ units.T)[np.triu_indices(len(units), k=1)]
    low, high = np.quantile(cosines, (0.05, 0.95)).tolist()
    return mean_cosine(vectors), low, high


def _units(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scale vectors to length 1; a zero vector is unchanged, and its cosines are 0."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)

"""Logits to probabilities, and losses in nats, for answers and errors: NumPy, in the precision of the logits."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Floats = TypeVar("Floats", npt.NDArray[np.float32], npt.NDArray[np.float64])


def softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return found


def sigmoid(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The logistic function; no overflow at any logit."""
    found: npt.NDArray[np.float64] = np.exp(-np.logaddexp(0, -logits))
    return found


def binary_cross_entropies(
    logits: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """-log(sigmoid) of the logits with the target 1, -log(1 - sigmoid) of those with 0."""
    found: npt.NDArray[np.float64] = np.logaddexp(0, logits) - logits * targets
    return found

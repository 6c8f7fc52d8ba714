"""Probabilities and losses (in nats) from logits, with NumPy, in the precision of the logits.

Logits of any size work without overflow. Infinite or NaN logits of a broken model give NaN without a warning, as in
torch.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Floats = TypeVar("Floats", npt.NDArray[np.float32], npt.NDArray[np.float64])


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return the softmax over the last axis."""
    with np.errstate(invalid="ignore"):
        weights = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
        found: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return found


def log_softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return the log-softmax over the last axis; classes that a case does not have are minus infinity."""
    scaled = logits / temperature
    with np.errstate(invalid="ignore"):
        shifted = scaled - scaled.max(axis=-1, keepdims=True)
        found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def sigmoid(logits: Floats) -> Floats:
    """Return the logistic function."""
    with np.errstate(over="ignore"):  # 1 / (1 + infinity) is 0, as intended
        found: Floats = np.reciprocal(1 + np.exp(-logits))
    return found


def binary_cross_entropies(
    logits: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return -log(sigmoid(logit)) for target 1, and -log(1 - sigmoid(logit)) for target 0."""
    found: npt.NDArray[np.float64] = np.logaddexp(0, np.where(targets > 0, -logits, logits))
    return found

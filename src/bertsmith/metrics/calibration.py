"""Calibration: how reliable probabilities are, and the temperature that improves them. Plain arrays in, numbers out.

A model is calibrated if, for example, 80% of the predictions with a probability of 0.8 are correct (Guo et al. 2017,
"On Calibration of Modern Neural Networks"). Logits are [cases, classes]; classes that a case does not have are minus
infinity, so their probability is 0 and they have no effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.probabilities import log_softmax

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINS = 15
"""Bins of equal width, as in Guo et al. 2017."""
_HALVINGS = 100
"""Bisection steps for the inverse temperature: enough for the precision of float64."""


@dataclass(frozen=True)
class Bin:
    """The cases whose highest probability is above `low` and at most `high`.

    Attributes:
        count: number of cases.
        confidence: mean of their highest probabilities; NaN without cases.
        accuracy: share of correct cases; NaN without cases.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The calibration metrics of some cases.

    Attributes:
        ece: expected calibration error (Guo et al. 2017, equation 3): the mean absolute difference of accuracy and
            confidence over the bins, weighted by their cases; 0 to 1.
        brier: mean over the cases of the sum over the classes of (probability - target)^2 (Brier 1950); 0 to 2.
        nll: mean negative log-likelihood of the correct class, in nats.
        bins: the bins of `ece`.
        cases: number of cases.
    """

    ece: float
    brier: float
    nll: float
    bins: tuple[Bin, ...]
    cases: int

    def figures(self) -> dict[str, float]:
        """Return the three metrics by name."""
        return {"ece": self.ece, "brier": self.brier, "nll": self.nll}


def calibration(logits: Floats, labels: Ints, temperature: float = 1.0) -> Calibration:
    """Measure the calibration of at least one case.

    Args:
        logits: float64 of [cases, classes].
        labels: int64 of [cases], the correct class.
    """
    cases = np.arange(len(labels))
    logarithms = log_softmax(logits, temperature)
    probabilities = np.exp(logarithms)
    labels_one_hot = np.zeros_like(probabilities)
    labels_one_hot[cases, labels] = 1
    correct = logits.argmax(axis=1) == labels
    bins = tuple(_bins(probabilities.max(axis=1), correct))
    return Calibration(
        ece=sum(bin_.count * abs(bin_.accuracy - bin_.confidence) for bin_ in bins if bin_.count) / len(labels),
        brier=float(((probabilities - labels_one_hot) ** 2).sum(axis=1).mean()),
        nll=float(-logarithms[cases, labels].mean()),
        bins=bins,
        cases=len(labels),
    )


def _bins(confidences: Floats, correct: npt.NDArray[np.bool_]) -> list[Bin]:
    edges = np.linspace(0, 1, BINS + 1)
    # Rounding can make the highest probability slightly larger than 1.
    numbers = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, BINS - 1)
    counts = np.bincount(numbers, minlength=BINS)
    confident, accurate = (np.bincount(numbers, weights=each, minlength=BINS) for each in (confidences, correct))
    with np.errstate(invalid="ignore"):  # 0 / 0: a bin without cases
        means, shares = confident / counts, accurate / counts
    return [
        Bin(float(edges[at]), float(edges[at + 1]), int(counts[at]), float(means[at]), float(shares[at]))
        for at in range(BINS)
    ]


def fitted_temperature(logits: Floats, labels: Ints) -> float | None:
    """Return the temperature with the lowest negative log-likelihood (Guo et al. 2017, section 4.2).

    The negative log-likelihood is convex in the inverse temperature b. Its derivative, the mean over the cases of the
    expected logit minus the logit of the correct class, increases with b; bisection finds its zero.

    None if there is no minimum: either every case is correct, so that lower temperatures are always better, or the
    logits are no better than chance, so that higher temperatures are always better.
    """
    found = np.isfinite(logits)
    values = np.where(found, logits, 0.0)
    label_logits = values[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        probabilities = np.exp(log_softmax(logits, 1 / inverse)) if inverse else found / found.sum(1, keepdims=True)
        return float(((probabilities * values).sum(axis=1) - label_logits).mean())

    if bool(np.all(label_logits == logits.max(axis=1))) or slope(0.0) >= 0:
        return None
    low, high = 0.0, 1.0
    while slope(high) < 0:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / high

"""How far probabilities can be believed, and the temperature that mends them. Plain arrays in, numbers out.

A model is calibrated where of all cases that it answers with a probability of 0.8 eight in ten are right (Guo et al.
2017, "On Calibration of Modern Neural Networks"). Logits are of [cases, classes]; a case of fewer classes than another
has minus infinity in the place of those that it lacks, which then have a probability of 0 and count for nothing.
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
"""Of an interval of inverse temperatures: more than float64 can tell apart."""


@dataclass(frozen=True)
class Bin:
    """The cases whose highest probability is above `low` and at most `high`.

    Attributes:
        count: how many.
        confidence: the mean of their highest probabilities; NaN without cases.
        accuracy: the share of them that is right; NaN without cases.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The figures of some cases.

    Attributes:
        ece: the expected calibration error (Guo et al. 2017, equation 3): over the bins the mean distance of accuracy
            and confidence, weighted by the cases in them; from 0 to 1.
        brier: the mean over the cases of the sum over the classes of (probability - truth)^2 (Brier 1950); 0 to 2.
        nll: the mean negative log-likelihood of the right class, in nats.
        bins: what `ece` is made of.
        cases: how many.
    """

    ece: float
    brier: float
    nll: float
    bins: tuple[Bin, ...]
    cases: int

    def figures(self) -> dict[str, float]:
        """The three numbers by their names."""
        return {"ece": self.ece, "brier": self.brier, "nll": self.nll}


def calibration(logits: Floats, labels: Ints, temperature: float = 1.0) -> Calibration:
    """The figures of at least one case.

    Args:
        logits: float64 of [cases, classes].
        gold: int64 of [cases], the right class.
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
    # The highest of some probabilities may be rounded to a little above 1.
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
    """The temperature at which the negative log-likelihood is lowest (Guo et al. 2017, section 4.2).

    The likelihood is convex in the inverse temperature b, and its derivative, the mean over the cases of the expected
    logit less that of the right class, rises with b; its zero is found by bisection.

    None where there is no minimum: every case is right, so that the likelihood rises without end as the temperature
    falls to 0; or the logits say no more than chance, so that it rises as the temperature grows.
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

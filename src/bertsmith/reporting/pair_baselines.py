"""The accuracy on pairs compared with those that need no reading: by their lengths, or by always the same answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import PairAudit
from bertsmith.reporting.numbers import percent, share_interval

LENGTHS, MAJORITY = "lengths alone", "always the same answer"
"""The baselines of pairs."""


@dataclass(frozen=True)
class PairBaseline:
    """An accuracy that needs no reading, its method, and how many pairs it was measured on."""

    name: str
    accuracy: float
    pairs: int

    @property
    def reaches(self) -> str:
        """`lengths alone give`, `always the same answer reaches`."""
        return f"{self.name} give{'' if self.name == LENGTHS else 's'}"


def pair_baselines(audit: PairAudit) -> dict[str, float]:
    """The accuracies that need no reading, by name; none without held-out pairs."""
    lengths = audit.length_only
    found = {LENGTHS: None if lengths is None else lengths.value, MAJORITY: audit.majority}
    return {name: value for name, value in found.items() if value is not None}


def best_baseline(figures: LanguageModelFigures, audit: PairAudit | None) -> PairBaseline | None:
    """The best of them, which an accuracy has to beat; that of the same answer is of the very pairs of `figures`."""
    found = []
    lengths = pair_baselines(audit).get(LENGTHS) if audit is not None else None
    if audit is not None and lengths is not None:
        found.append(PairBaseline(LENGTHS, lengths, audit.held_out_pairs))
    majority, pairs = figures.next_sentence_majority, figures.num_pairs
    if majority is not None and pairs:
        found.append(PairBaseline(MAJORITY, majority, pairs))
    return max(found, key=lambda one: one.accuracy, default=None)


def compared_with_baseline(
    figures: LanguageModelFigures, audit: PairAudit | None
) -> tuple[str, Literal["info", "warning", "good"]] | None:
    """A sentence that compares the accuracy with the best baseline, and how good that is; None if one is missing."""
    model, best = figures.next_sentence_accuracy, best_baseline(figures, audit)
    if model is None or best is None:
        return None
    what = f"what {best.reaches}"
    gain = 100 * (model - best.accuracy)
    margin = 100 * math.hypot(_margin(model, figures.num_pairs), _margin(best.accuracy, best.pairs))
    if gain <= 0:
        return f"The model is no better than {what}: {percent(model)} against {percent(best.accuracy)}.", "warning"
    beats = f"The model beats {what} by {gain:.1f} points."
    if gain <= margin:
        return f"{beats} So few pairs do not prove it: the uncertainty is {margin:.1f} points.", "info"
    return beats, "good"


def _margin(share: float, count: int) -> float:
    """Half of the 95% interval of a share."""
    low, high = share_interval(share, count)
    return (high - low) / 2

"""Baselines for next sentence prediction that do not read the text: segment lengths, or always the same answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import PairAudit
from bertsmith.reporting.numbers import percent, share_interval

LENGTHS, MAJORITY = "segment lengths alone", "always the same answer"
"""The names of the baselines."""


@dataclass(frozen=True)
class PairBaseline:
    """The accuracy of a baseline, and the number of pairs that it was measured on."""

    name: str
    accuracy: float
    pairs: int

    def __str__(self) -> str:
        """Return `segment lengths alone (55.2%)`."""
        return f"{self.name} ({percent(self.accuracy)})"


def pair_baselines(audit: PairAudit) -> dict[str, float]:
    """Return the accuracies of the baselines by name; none without held-out pairs."""
    lengths = audit.length_only
    found = {LENGTHS: None if lengths is None else lengths.value, MAJORITY: audit.majority}
    return {name: value for name, value in found.items() if value is not None}


def best_baseline(figures: LanguageModelFigures, audit: PairAudit | None) -> PairBaseline | None:
    """Return the best baseline, which the model has to beat; None if there is none.

    Always the same answer is measured on the pairs of `figures`, segment lengths on those of the audit.
    """
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
    """Return a sentence that compares the accuracy with the best baseline, and its tone; None if one is missing."""
    model, best = figures.next_sentence_accuracy, best_baseline(figures, audit)
    if model is None or best is None:
        return None
    gain = 100 * (model - best.accuracy)
    margin = 100 * math.hypot(_margin(model, figures.num_pairs), _margin(best.accuracy, best.pairs))
    if gain <= 0:
        return f"The model ({percent(model)}) is no better than {best}.", "warning"
    beats = f"The model beats {best} by {gain:.1f} points."
    if gain <= margin:
        return f"{beats} This may be chance: with so few pairs the uncertainty is {margin:.1f} points.", "info"
    return beats, "good"


def _margin(share: float, count: int) -> float:
    """Return half of the 95% interval of a share."""
    low, high = share_interval(share, count)
    return (high - low) / 2

"""The trend of the training loss, and advice for a training that does not beat its baseline.

A loss that is still falling needs more updates; a loss that does not change needs a different learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertsmith.records.finetuning import LossTrend
from bertsmith.reporting.numbers import format_metric
from bertsmith.tasks.base import AnyTask

TREND_DIVISOR = 5
"""The start and the end of a training are one fifth of its updates each."""
FALLING_RATIO = 0.98
"""A mean loss is falling if it is below this share of the earlier mean; smaller changes are noise."""


def loss_trend(losses: Sequence[float]) -> LossTrend:
    """Return the trend of the losses of all updates."""
    part = max(1, len(losses) // TREND_DIVISOR)
    start, end = float(np.mean(losses[:part])), float(np.mean(losses[-part:]))
    before = float(np.mean(losses[-2 * part : -part])) if len(losses) > part else end
    falling = end < FALLING_RATIO * before and end < FALLING_RATIO * start
    return LossTrend(start=start, end=end, falling=falling, updates=len(losses))


def describe_loss_trend(trend: LossTrend) -> str:
    """Return what the loss did, and what to try."""
    figures = f"{trend.start:.3g} to {trend.end:.3g}"
    if trend.falling:
        return f"The training loss was still falling ({figures}). Try: more --epochs"
    if trend.updates < 2:
        return "One update is too few to see whether the training loss is falling. Try: more --epochs"
    if trend.end < FALLING_RATIO * trend.start:
        return (
            f"The training loss fell ({figures}) and then stopped falling. Try: more training examples, or a different "
            "--model or --learning-rate"
        )
    change = "rose" if trend.end > trend.start / FALLING_RATIO else "hardly changed"
    return f"The training loss {change} ({figures}). Try: a different --learning-rate, or more --epochs"


def no_better_than_baseline(
    head: AnyTask, metric: str, value: float, *, baseline: float, file: str, trend: LossTrend | None
) -> str:
    """Return a sentence that a result does not beat the baseline, with advice if the trend of the loss is known."""
    figure, least = (format_metric(metric, one, head.maximum_score) for one in (value, baseline))
    sentence = f"{metric} {figure} on the {file} file is no better than {head.baseline_answer} ({least})"
    return sentence if trend is None else f"{sentence}. {describe_loss_trend(trend)}"

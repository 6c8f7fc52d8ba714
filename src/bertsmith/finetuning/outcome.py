"""A training that does not beat its baseline: what is known of it, and what to try.

"Learnt nothing" is often wrong: a loss that still falls needs more updates, a loss that stays needs a different rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertsmith.records.finetuning import LossTrend
from bertsmith.reporting.numbers import format_metric
from bertsmith.tasks.base import AnyTask

PART = 5
"""The beginning and the end of a training are a fifth of its updates each."""
LESS = 0.98
"""A mean loss falls if it is below this share of the one before: less is noise between batches."""


def loss_trend(losses: Sequence[float]) -> LossTrend:
    """The course of the losses of all updates."""
    part = max(1, len(losses) // PART)
    start, end = float(np.mean(losses[:part])), float(np.mean(losses[-part:]))
    before = float(np.mean(losses[-2 * part : -part])) if len(losses) > part else end
    falling = end < LESS * before and end < LESS * start
    return LossTrend(start=start, end=end, falling=falling, updates=len(losses))


def describe_loss_trend(course: LossTrend) -> str:
    """What the loss did, and what to try."""
    figures = f"{course.start:.3g} to {course.end:.3g}"
    if course.falling:
        return f"The training loss was still falling ({figures}): try more --epochs"
    if course.updates < 2:
        return "One update is too few to see whether the training loss falls: try more --epochs"
    if course.end < LESS * course.start:
        return (
            f"The training loss fell ({figures}) and then stayed: try more training examples, or a different "
            "--model or --learning-rate"
        )
    what = "rose" if course.end > course.start / LESS else "hardly changed"
    return f"The training loss {what} ({figures}): try a different --learning-rate, or more --epochs"


def no_better_than_baseline(
    head: AnyTask, metric: str, value: float, *, baseline: float, file: str, course: LossTrend | None
) -> str:
    """That a figure does not beat the baseline of a head; with what the training loss did, if it is known."""
    figure, least = (format_metric(metric, one, head.top) for one in (value, baseline))
    said = f"{metric} {figure} on the {file} file is no better than {head.baseline_answer} ({least})"
    return said if course is None else f"{said}. {describe_loss_trend(course)}"

"""A training that does not beat its baseline: what is known of it, and what to try.

"Learnt nothing" is often wrong: a loss that still falls needs more updates, a loss that stays needs a different rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bertsmith.reporting.numbers import format_metric
from bertsmith.tasks.base import AnyTask

PART = 5
"""The beginning and the end of a training are a fifth of its updates each."""
LESS = 0.98
"""A mean loss falls if it is below this share of the one before: less is noise between batches."""


@dataclass(frozen=True)
class LossCourse:
    """The mean training loss at the beginning and at the end, and whether it was still falling there."""

    start: float
    end: float
    falling: bool
    updates: int

    @classmethod
    def of(cls, losses: Sequence[float]) -> LossCourse:
        """The course of the losses of all updates."""
        part = max(1, len(losses) // PART)
        start, end = float(np.mean(losses[:part])), float(np.mean(losses[-part:]))
        before = float(np.mean(losses[-2 * part : -part])) if len(losses) > part else end
        return cls(start, end, end < LESS * before and end < LESS * start, len(losses))

    def to_dict(self) -> dict[str, Any]:
        """JSON of it."""
        return asdict(self)

    @property
    def in_words(self) -> str:
        """What the loss did, and what to try."""
        figures = f"{self.start:.3g} to {self.end:.3g}"
        if self.falling:
            return f"The training loss was still falling ({figures}): try more --epochs"
        if self.updates < 2:
            return "One update is too few to see whether the training loss falls: try more --epochs"
        if self.end < LESS * self.start:
            return (
                f"The training loss fell ({figures}) and then stayed: try more training examples, or a different "
                "--model or --learning-rate"
            )
        what = "rose" if self.end > self.start / LESS else "hardly changed"
        return f"The training loss {what} ({figures}): try a different --learning-rate, or more --epochs"


def no_better(
    head: AnyTask, metric: str, value: float, baseline: float, *, file: str, course: LossCourse | None
) -> str:
    """That a figure does not beat the baseline of a head; with what the training loss did, if it is known."""
    figure, least = (format_metric(metric, one, head.top) for one in (value, baseline))
    said = f"{metric} {figure} on the {file} file is no better than {head.baseline_answer} ({least})"
    return said if course is None else f"{said}. {course.in_words}"

"""The progress of a run, from its length and metrics.jsonl: for its report and for `report --watch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertsmith.records.run import TrainingLength
from bertsmith.runtime.console import clock

Lines = Sequence[Mapping[str, Any]]

RECENT = 0.25
"""The most recent share of the updates, which forecasts the time left: phases and ramps change the speed."""


@dataclass(frozen=True)
class RunProgress:
    """Updates done and planned, the share done, and the seconds left.

    All but `step` are None if the length or the speed of the run is not known.
    """

    step: int
    steps: int | None = None
    share: float | None = None
    seconds_left: float | None = None

    def __str__(self) -> str:
        """Return `update 120 of 500, 24% done, about 3:20 left`."""
        if not self.step:
            return "no update yet"
        parts = [f"update {self.step:,}" + (f" of {self.steps:,}" if self.steps is not None else "")]
        if self.share is not None:
            parts.append(f"{self.share:.0%} done")
        if self.seconds_left is not None:
            parts.append(f"about {clock(self.seconds_left)} left")
        return ", ".join(parts)


def run_progress(budget: TrainingLength | None, updates: Lines) -> RunProgress:
    """Return the progress of a run; the evaluations before and after training are not counted."""
    steps, minutes = (None, None) if budget is None else (budget.steps, budget.minutes)
    if not updates:
        return RunProgress(0, steps)
    step, seconds = int(updates[-1]["step"]), updates[-1].get("seconds")
    if steps is not None:
        earlier = updates[-max(2, int(RECENT * len(updates)))] if len(updates) > 1 else None
        left = None
        if earlier is not None and seconds is not None:
            left = (seconds - earlier["seconds"]) / max(step - earlier["step"], 1) * max(steps - step, 0)
        return RunProgress(step, steps, min(step / steps, 1.0), left)
    if minutes is not None and seconds is not None:
        whole = 60 * minutes
        return RunProgress(step, None, min(seconds / whole, 1.0), max(whole - seconds, 0.0))
    return RunProgress(step)

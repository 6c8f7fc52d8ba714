"""How long a run trains: a number of updates, or minutes."""

from __future__ import annotations

import time
from dataclasses import dataclass

UNLIMITED_STEPS = 10**9
"""The number of updates of a run by the clock, for transformers."""

FIRST_POSITION = 1e-3
"""The schedule position of the first update of a run by the clock. At 0 a warmup would give it no learning rate."""


@dataclass
class Budget:
    """The length of a run in updates or minutes, and the time it has used.

    Only `tick` sets `seconds`, once per update, so that schedule, phases and progress see the same time within an
    update, in all processes.

    Attributes:
        seconds_before: the time that earlier parts of a resumed run took.
    """

    steps: int | None = None
    minutes: float | None = None
    seconds_before: float = 0.0
    started: float | None = None
    seconds: float = 0.0
    """Seconds of training up to the last tick, earlier parts included."""

    @property
    def max_steps(self) -> int:
        """The number of updates; one that is never reached if the run goes by the clock."""
        return self.steps if self.steps is not None else UNLIMITED_STEPS

    def start(self) -> None:
        """Start the clock; the first update begins."""
        self.started = time.monotonic()
        self.seconds = self.seconds_before

    def elapsed(self) -> float:
        """Return the seconds of training up to now, by the clock of this process."""
        return self.seconds_before + (time.monotonic() - self.started if self.started is not None else 0.0)

    def tick(self, seconds: float | None = None) -> None:
        """Set `seconds`: to the time that the processes agreed on, or by the clock of this process."""
        self.seconds = self.elapsed() if seconds is None else seconds

    def progress(self, step: int) -> float:
        """Return the share of the run that is done after `step` updates, from 0 to 1."""
        if self.steps is not None:
            return min(step / self.steps, 1.0)
        assert self.minutes is not None
        return min(self.seconds / (60 * self.minutes), 1.0)

    def schedule_position(self, step: int) -> float:
        """Return the schedule position of the update after `step` updates, above 0 and below 1 for all updates."""
        if self.steps is not None:
            return (step + 1) / (self.steps + 1)
        return max(self.progress(step), FIRST_POSITION)

    def is_over(self, step: int) -> bool:
        """Return whether the run ends after `step` updates."""
        return self.progress(step) >= 1.0

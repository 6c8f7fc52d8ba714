"""How long a run trains: for a number of updates, or by the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass

FAR = 10**9

FIRST_POSITION = 1e-3
"""The position of the first update of a run by the clock: at 0 a schedule that warms up would waste it."""


@dataclass
class Budget:
    """Updates or minutes, and how much of them is used.

    `seconds_before` is the time that earlier parts of a resumed run took. Only `tick` reads the clock, once per
    update, so that everything that looks at it in between sees one time, in all processes of a run.
    """

    steps: int | None = None
    minutes: float | None = None
    seconds_before: float = 0.0
    started: float | None = None
    seconds: float = 0.0
    """Seconds of training up to the last tick, earlier parts included."""

    @property
    def max_steps(self) -> int:
        """The number of updates, or one that is never reached."""
        return self.steps if self.steps is not None else FAR

    def start(self) -> None:
        """The first update begins now."""
        self.started = time.monotonic()
        self.seconds = self.seconds_before

    def elapsed(self) -> float:
        """Seconds of training up to now, as this process sees it."""
        return self.seconds_before + (time.monotonic() - self.started if self.started is not None else 0.0)

    def tick(self, seconds: float | None = None) -> None:
        """Take the time: that of this process, or what several agreed on."""
        self.seconds = self.elapsed() if seconds is None else seconds

    def progress(self, step: int) -> float:
        """The share of the run that is done after `step` updates, from 0 to 1."""
        if self.steps is not None:
            return min(step / self.steps, 1.0)
        assert self.minutes is not None
        return min(self.seconds / (60 * self.minutes), 1.0)

    def schedule_position(self, step: int) -> float:
        """The position in the schedule of the update after `step` others; updates reach neither end."""
        if self.steps is not None:
            return (step + 1) / (self.steps + 1)
        return max(self.progress(step), FIRST_POSITION)

    def is_over(self, step: int) -> bool:
        """Whether the run ends after `step` updates."""
        return self.progress(step) >= 1.0

"""How long a run trains: for a number of updates, or by the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass

FAR = 10**9


@dataclass
class Budget:
    """Updates or minutes, and how much of them is used.

    `seconds_before` is the time that earlier parts of a resumed run took; only `minutes` looks at it.
    """

    steps: int | None = None
    minutes: float | None = None
    seconds_before: float = 0.0
    started: float | None = None

    @property
    def max_steps(self) -> int:
        """The number of updates, or one that is never reached."""
        return self.steps if self.steps is not None else FAR

    def start(self) -> None:
        """The first update begins now."""
        self.started = time.monotonic()

    def seconds(self) -> float:
        """Seconds of training so far, earlier parts included."""
        return self.seconds_before + (time.monotonic() - self.started if self.started is not None else 0.0)

    def progress(self, step: int) -> float:
        """The share of the run that is done after `step` updates, from 0 to 1."""
        if self.steps is not None:
            return min(step / self.steps, 1.0)
        assert self.minutes is not None
        return min(self.seconds() / (60 * self.minutes), 1.0)

    def schedule_position(self, step: int) -> float:
        """Where the learning rate of the update after `step` others stands; neither end is reached by updates."""
        return (step + 1) / (self.steps + 1) if self.steps is not None else self.progress(step)

    def is_over(self, step: int) -> bool:
        """Whether the run ends after `step` updates."""
        return self.progress(step) >= 1.0

"""The course of a run: which examples each update takes, and of which phase.

A phase is a way to make examples, here of a length: a run can begin with short ones, of which many fit into its time,
and end with long ones. A run can also begin with few examples an update. Both follow the share of the run that is
done, by updates or by the clock; what was taken so far is all that a resumed run has to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch.utils.data import Sampler

from bertsmith.training.budget import Budget


@dataclass(frozen=True)
class Update:
    """What an update takes: examples `first` to `first + examples` of a phase, numbered over all epochs."""

    phase: int
    first: int
    examples: int


@dataclass(frozen=True)
class Ramp:
    """The batch rises from `first` examples to the full size over this share of the run, in steps of `first`."""

    first: int
    share: float


class Course(Sampler[Update]):
    """The updates of a run, in order; a loader's sampler.

    Args:
        batch_size: examples an update, over all processes.
        short_share: the share of the run that is in phase 0; what follows is in phase 1. 1 where there is one phase.
        same: every update takes the very first examples again.
    """

    def __init__(
        self,
        budget: Budget,
        batch_size: int,
        *,
        ramp: Ramp | None = None,
        short_share: float = 1.0,
        same: bool = False,
    ) -> None:
        self.budget, self.batch_size, self.ramp = budget, batch_size, ramp
        self.short_share, self.same = short_share, same
        self.first_update = 0
        self.taken = [0, 0]

    def resume(self, update: int, taken: list[int]) -> None:
        """Continue after `update` updates, which have `taken` these numbers of examples of each phase."""
        self.first_update, self.taken = update, list(taken)

    def update(self, step: int, taken: list[int]) -> Update:
        """The update after `step` others."""
        done = self.budget.progress(step)
        phase = 0 if done < self.short_share or self.short_share >= 1 else 1
        return Update(phase, 0 if self.same else taken[phase], self.examples(done))

    def examples(self, done: float) -> int:
        """Examples of an update where this share of the run is done."""
        if self.ramp is None or done >= self.ramp.share:
            return self.batch_size
        first = self.ramp.first
        wanted = first + (self.batch_size - first) * done / self.ramp.share
        return min(max(first, int(wanted // first) * first), self.batch_size)

    def __iter__(self) -> Iterator[Update]:
        taken = list(self.taken)
        for step in range(self.first_update, self.budget.max_steps):
            update = self.update(step, taken)
            taken[update.phase] += update.examples
            yield update

    def __len__(self) -> int:
        return self.budget.max_steps

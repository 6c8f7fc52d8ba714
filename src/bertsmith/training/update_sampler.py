"""Which examples each update takes, in order, over the whole run.

A run can begin with short sequences (phase 0), of which it sees many in little time, and end with long ones (phase 1).
The batch size can ramp up from a few examples. Both follow the fraction of the run that is done, measured in updates or
by the clock. The number of examples taken from each phase so far is all that a resumed run needs to continue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.data import Sampler

from bertsmith.training.budget import Budget


@dataclass(frozen=True)
class Update:
    """The examples of one update: `first` to `first + examples` of a phase, numbered over all epochs."""

    phase: int
    first: int
    examples: int


@dataclass(frozen=True)
class BatchRamp:
    """The batch size grows from `first` to its full value over this share of the run, in steps of `first`."""

    first: int
    share: float


class UpdateSampler(Sampler[Update]):
    """The updates of a run, in order; the sampler of the Trainer's data loader.

    Args:
        batch_size: examples per update, over all processes.
        short_share: the share of the run in phase 0, before phase 1; 1 if the run has one phase.
        repeat_first: every update takes the first examples again (`--overfit-one-batch`).
    """

    def __init__(
        self,
        budget: Budget,
        batch_size: int,
        *,
        ramp: BatchRamp | None = None,
        short_share: float = 1.0,
        repeat_first: bool = False,
    ) -> None:
        self.budget, self.batch_size, self.ramp = budget, batch_size, ramp
        self.short_share, self.repeat_first = short_share, repeat_first
        self.first_update = 0
        self.examples_taken = [0, 0]

    def resume(self, step: int, examples_taken: Sequence[int]) -> None:
        """Continue after `step` updates, which have taken these numbers of examples from each phase."""
        self.first_update, self.examples_taken = step, list(examples_taken)

    def update(self, step: int, examples_taken: Sequence[int]) -> Update:
        """Return the update that follows `step` updates."""
        done = self.budget.progress(step)
        phase = 0 if done < self.short_share or self.short_share >= 1 else 1
        return Update(phase, 0 if self.repeat_first else examples_taken[phase], self.examples_at(done))

    def examples_at(self, done: float) -> int:
        """Return the batch size when this share of the run is done."""
        if self.ramp is None or done >= self.ramp.share:
            return self.batch_size
        first = self.ramp.first
        wanted = first + (self.batch_size - first) * done / self.ramp.share
        return min(max(first, int(wanted // first) * first), self.batch_size)

    def __iter__(self) -> Iterator[Update]:
        examples_taken = list(self.examples_taken)
        for step in range(self.first_update, self.budget.max_steps):
            update = self.update(step, examples_taken)
            examples_taken[update.phase] += update.examples
            yield update

    def __len__(self) -> int:
        return self.budget.max_steps

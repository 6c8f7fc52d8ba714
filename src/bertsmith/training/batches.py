"""The micro-batches of an update: which examples each process computes at once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from bertsmith.runtime import processes
from bertsmith.training.course import Update

Batch = dict[str, Any]

WITHOUT_WEIGHT = "without_weight"
NOT_OF_THE_MODEL = ("loss_counts", "num_tokens", WITHOUT_WEIGHT)
"""Keys of a batch that the model does not take."""


class UpdateBatches(Dataset[tuple[Update, list[Batch]]]):
    """The micro-batches of an update that this process computes; the division of an update is theirs.

    Args:
        phases: for each phase, what makes the batch of some examples, given their positions in the whole training
            (0, 1, 2, ... over all epochs). Besides the model's inputs it holds `loss_counts` (float32 of [losses]:
            what each loss sum is divided by) and `num_tokens`.
            What makes a phase may have a method `describe`, which names an example for people.
        micro_batch_size: examples at once in one process.
    """

    def __init__(
        self,
        phases: Sequence[Callable[[Sequence[int]], Batch]],
        *,
        micro_batch_size: int,
    ) -> None:
        self.phases, self.micro_batch_size = phases, micro_batch_size
        self.rank, self.world_size = processes.rank(), processes.world_size()

    def parts(self, update: Update) -> Sequence[Sequence[int]]:
        """The examples of each micro-batch; every process has as many micro-batches, the last ones can be empty."""
        share = math.ceil(update.examples / self.world_size)
        start = min(self.rank * share, update.examples)
        stop = min(start + share, update.examples)
        size = self.micro_batch_size
        begins = [min(start + number * size, stop) for number in range(math.ceil(share / size))]
        return [range(update.first + begin, update.first + min(begin + size, stop)) for begin in begins]

    def describe(self, phase: int, number: int) -> str:
        """An example for people."""
        return str(getattr(self.phases[phase], "describe", str)(number))

    def __getitem__(self, update: Update) -> tuple[Update, list[Batch]]:
        make = self.phases[update.phase]
        last = update.first + update.examples - 1
        return update, [make(part) if part else _without_weight(make([last])) for part in self.parts(update)]


def leave_process_group(worker: int) -> None:
    """A signal to the process group is for the process that trains: its workers are needed until the update is made.

    They end when it ends, by its word or because they see that it is gone.
    """
    os.setpgrp()


def _without_weight(batch: Batch) -> Batch:
    """A batch in the place of an empty one: processes wait for each other's gradients, so each has one."""
    return batch | {"loss_counts": torch.zeros_like(batch["loss_counts"]), "num_tokens": 0, WITHOUT_WEIGHT: True}


def model_inputs(batch: Batch) -> Batch:
    """The part of a batch that the model takes."""
    return {name: value for name, value in batch.items() if name not in NOT_OF_THE_MODEL}

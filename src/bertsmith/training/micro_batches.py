"""Micro-batches: their contents, and how the examples of an update are divided among processes and micro-batches."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from bertsmith.runtime import processes
from bertsmith.training.update_sampler import Update


@dataclass(frozen=True)
class Batch:
    """One micro-batch.

    Attributes:
        inputs: the model's inputs and the labels, by name.
        loss_counts: float32 of [losses], the number of labels of each loss, or the sum of their weights.
        num_tokens: tokens without padding.
        weight: 1, or 0 for the placeholder of an empty micro-batch.
    """

    inputs: dict[str, Tensor]
    loss_counts: Tensor
    num_tokens: int
    weight: float = 1.0

    def without_weight(self) -> Batch:
        """Return a copy that adds nothing to losses, gradients and counts."""
        return replace(self, loss_counts=torch.zeros_like(self.loss_counts), num_tokens=0, weight=0.0)

    def to(self, device: str | torch.device) -> Batch:
        """Return the batch with its inputs on a device."""
        return replace(self, inputs={name: value.to(device) for name, value in self.inputs.items()})

    def pin_memory(self) -> Batch:
        """Return the batch with its inputs in pinned memory; the data loader calls this for CUDA."""
        return replace(self, inputs={name: value.pin_memory() for name, value in self.inputs.items()})


MakeBatch = Callable[[Sequence[int]], Batch]
"""Makes the batch of some examples, given their positions in the training (0, 1, 2, ... over all epochs).

It may have a method `describe(number)` that names an example in messages.
"""


class MicroBatchDataset(Dataset[tuple[Update, list[Batch]]]):
    """Maps an update to the micro-batches that this process computes.

    Args:
        phases: makes the batches of each phase.
        micro_batch_size: examples that a process computes at once.
    """

    def __init__(self, phases: Sequence[MakeBatch], *, micro_batch_size: int) -> None:
        self.phases, self.micro_batch_size = phases, micro_batch_size
        self.rank, self.world_size = processes.rank(), processes.world_size()

    def divide(self, update: Update) -> Sequence[Sequence[int]]:
        """Return the examples of each micro-batch of this process.

        All processes have the same number of micro-batches; the last ones can be empty.
        """
        share = math.ceil(update.examples / self.world_size)
        start = min(self.rank * share, update.examples)
        stop = min(start + share, update.examples)
        size = self.micro_batch_size
        begins = [min(start + number * size, stop) for number in range(math.ceil(share / size))]
        return [range(update.first + begin, update.first + min(begin + size, stop)) for begin in begins]

    def describe(self, phase: int, number: int) -> str:
        """Return the name of an example for messages."""
        return str(getattr(self.phases[phase], "describe", str)(number))

    def __getitem__(self, update: Update) -> tuple[Update, list[Batch]]:
        make_batch = self.phases[update.phase]
        last = update.first + update.examples - 1
        # Processes wait for each other's gradients, so a process without examples computes one without weight.
        batches = [
            make_batch(examples) if examples else make_batch([last]).without_weight()
            for examples in self.divide(update)
        ]
        return update, batches


def leave_process_group(worker: int) -> None:
    """Move a data-loading worker to a new process group, so that Control-C does not reach it.

    The training process needs its workers until the update is complete. They end when it ends.
    """
    os.setpgrp()

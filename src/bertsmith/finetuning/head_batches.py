"""The batches of fine-tuning: rows of similar length together, and at most a budget of tokens per micro-batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bertsmith.finetuning.head_losses import loss_count, split_by_label
from bertsmith.inference.head_outputs import tensors
from bertsmith.runtime import random
from bertsmith.tasks.task_losses import TaskLosses
from bertsmith.tasks.values import Inputs, Logits
from bertsmith.training.micro_batches import Batch, MicroBatchDataset
from bertsmith.training.update_sampler import Update

BATCHES_PER_WINDOW = 50
"""Rows are sorted by length within windows of this many batches."""


@dataclass(frozen=True)
class LabelledData:
    """An encoded labelled file.

    Attributes:
        encoded: the task's inputs.
        targets: their labels.
        teacher_logits: returns a teacher's logits for a row, flat.
        labelled: the number of rows with labels, which come first; the other rows only have a teacher's logits. None
            if all rows have labels.
    """

    encoded: Inputs
    targets: Any
    teacher_logits: Callable[[int], Logits] | None = None
    labelled: int | None = None


class HeadBatches:
    """Makes batches of examples of the whole training; an example is a row of the task's inputs in some epoch.

    The order of an epoch is a pure function of (seed, epoch). It is random, but sorted by length within windows of
    fifty batches, so that batches have little padding.
    """

    def __init__(
        self, data: LabelledData, losses: TaskLosses, batch_size: int, *, pad_token_id: int, with_types: bool, seed: int
    ) -> None:
        self.data, self.losses, self.batch_size, self.seed = data, losses, batch_size, seed
        self.pad, self.with_types = pad_token_id, with_types
        self.lengths = np.array(data.encoded.lengths)
        self._epoch = -1
        self._order: npt.NDArray[np.int64]

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return int64 of [rows]: the rows of the inputs in the order of an epoch."""
        if epoch != self._epoch:
            generator = random.generator("order", self.seed, epoch)
            shuffled = generator.permutation(len(self.lengths))
            window = self.batch_size * BATCHES_PER_WINDOW
            groups: list[npt.NDArray[np.int64]] = []
            for start in range(0, len(shuffled), window):
                rows = shuffled[start : start + window]
                rows = rows[np.argsort(self.lengths[rows], kind="stable")]
                groups += [rows[at : at + self.batch_size] for at in range(0, len(rows), self.batch_size)]
            full = [group for group in groups if len(group) == self.batch_size]
            rest = [group for group in groups if len(group) < self.batch_size]
            mixed = [full[number] for number in generator.permutation(len(full))]
            self._order, self._epoch = np.concatenate([*mixed, *rest]), epoch
        return self._order

    def row(self, number: int) -> int:
        """Return the row of an example of the whole training."""
        epoch, place = divmod(number, len(self.lengths))
        return int(self.order(epoch)[place])

    def describe(self, number: int) -> str:
        """Name an example for messages."""
        row, file, labelled = self.row(number), "training", self.data.labelled
        if labelled is not None and row >= labelled:
            row, file = row - labelled, "unlabelled"
        return f"row {row} of the {file} file, in epoch {number // len(self.lengths)}"

    def __call__(self, numbers: Sequence[int]) -> Batch:
        """Return the micro-batch of these examples."""
        chosen = [self.row(number) for number in numbers]
        task, encoded = self.losses.task, self.data.encoded
        arrays: dict[str, Any] = task.batch(encoded, chosen, self.pad, with_types=self.with_types)
        arrays["targets"] = task.row_targets(encoded, self.data.targets, chosen)
        if self.data.teacher_logits is not None:
            arrays["soft_targets"] = task.soft_targets(encoded, self.data.teacher_logits, chosen)
        inputs = tensors(arrays)
        if self.data.labelled is not None:
            inputs |= split_by_label(row < self.data.labelled for row in chosen)
        loss_counts = torch.tensor([loss_count(self.losses, inputs)])
        return Batch(inputs, loss_counts, num_tokens=int(self.lengths[chosen].sum()))


class TokenBudgetDataset(MicroBatchDataset):
    """Divides updates into micro-batches of rows of similar length, with at most `budget` tokens each after padding.

    Args:
        budget: tokens per micro-batch; a single row that is longer is a micro-batch by itself.
        threads: the number of micro-batches of an update is a multiple of it, and they have similar sizes.
    """

    def __init__(self, batches: HeadBatches, *, budget: int, threads: int) -> None:
        super().__init__([batches], micro_batch_size=math.ceil(batches.batch_size / threads))
        self.batches, self.budget, self.threads = batches, budget, threads

    def divide(self, update: Update) -> list[Sequence[int]]:
        """Return the examples of each micro-batch, the longest first."""
        numbers = range(update.first, update.first + update.examples)
        lengths = {number: int(self.batches.lengths[self.batches.row(number)]) for number in numbers}
        ordered = sorted(numbers, key=lambda number: -lengths[number])
        sizes = [lengths[number] for number in ordered]
        count = self.threads
        while count < len(sizes) and _smallest_limit(sizes, count) > self.budget:
            count += self.threads
        starts = _greedy_starts(sizes, _smallest_limit(sizes, count))
        return [ordered[start:end] for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True)]


def _greedy_starts(sizes: Sequence[int], limit: int) -> list[int]:
    """Return where each micro-batch starts if rows are added to it as long as it stays within `limit` padded tokens.

    Args:
        sizes: lengths of the rows, falling; a micro-batch is padded to its first row.
    """
    starts = [0]
    for place, _ in enumerate(sizes):
        if sizes[starts[-1]] * (place + 1 - starts[-1]) > limit:
            starts.append(place)
    return starts


def _smallest_limit(sizes: Sequence[int], count: int) -> int:
    """Return the smallest limit of padded tokens that gives at most `count` micro-batches, for falling sizes."""
    low, high = sizes[0], sizes[0] * len(sizes)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_greedy_starts(sizes, middle)) <= count else (middle + 1, high)
    return low

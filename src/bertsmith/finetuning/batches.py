"""The batches of fine-tuning: rows of like length together, and no more tokens at once than a budget allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bertsmith.finetuning.losses import divided, loss_count
from bertsmith.inference.head_outputs import tensors
from bertsmith.runtime import random
from bertsmith.tasks.task_losses import TaskLosses
from bertsmith.tasks.values import Inputs, Logits
from bertsmith.training.batches import UpdateBatches
from bertsmith.training.course import Update

BATCHES_A_WINDOW = 50


@dataclass(frozen=True)
class LabelledData:
    """An encoded labelled file.

    Attributes:
        encoded: the task's inputs.
        targets: their labels.
        taught: a teacher's logits for them, flat.
        labelled: the number of rows, the first ones, that have labels; the rows behind them only have a teacher's
            logits. None if all have labels.
    """

    encoded: Inputs
    targets: Any
    taught: Callable[[int], Logits] | None = None
    labelled: int | None = None


class HeadBatches:
    """Makes the batch of given examples of the whole training; an example is a row of the task's inputs.

    The order of an epoch is a pure function of (seed, epoch): random, but within windows of fifty batches sorted by
    length, so that little is computed on padding.
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
        """int64 of [rows]: the rows of the inputs in the order of an epoch."""
        if epoch != self._epoch:
            generator = random.generator("order", self.seed, epoch)
            shuffled = generator.permutation(len(self.lengths))
            window = self.batch_size * BATCHES_A_WINDOW
            groups: list[npt.NDArray[np.int64]] = []
            for start in range(0, len(shuffled), window):
                part = shuffled[start : start + window]
                part = part[np.argsort(self.lengths[part], kind="stable")]
                groups += [part[at : at + self.batch_size] for at in range(0, len(part), self.batch_size)]
            full = [group for group in groups if len(group) == self.batch_size]
            rest = [group for group in groups if len(group) < self.batch_size]
            mixed = [full[number] for number in generator.permutation(len(full))]
            self._order, self._epoch = np.concatenate([*mixed, *rest]), epoch
        return self._order

    def row(self, number: int) -> int:
        """The row of the inputs that an example of the whole training is."""
        epoch, place = divmod(number, len(self.lengths))
        return int(self.order(epoch)[place])

    def describe(self, number: int) -> str:
        """An example for people."""
        row, file, labelled = self.row(number), "training", self.data.labelled
        if labelled is not None and row >= labelled:
            row, file = row - labelled, "unlabelled"
        return f"row {row} of the {file} file, in epoch {number // len(self.lengths)}"

    def __call__(self, numbers: Sequence[int]) -> dict[str, Any]:
        """The micro-batch, with the number of its losses to divide their sum by."""
        chosen = [self.row(number) for number in numbers]
        task, encoded = self.losses.task, self.data.encoded
        arrays: dict[str, Any] = task.batch(encoded, chosen, self.pad, with_types=self.with_types)
        arrays["targets"] = task.row_targets(encoded, self.data.targets, chosen)
        if self.data.taught is not None:
            arrays["soft_targets"] = task.soft_targets(encoded, self.data.taught, chosen)
        batch: dict[str, Any] = tensors(arrays)
        if self.data.labelled is not None:
            batch |= divided(row < self.data.labelled for row in chosen)
        batch["loss_counts"] = torch.tensor([loss_count(self.losses, batch)])
        batch["num_tokens"] = int(self.lengths[chosen].sum())
        return batch


class BudgetedBatches(UpdateBatches):
    """Updates in micro-batches of rows of like length, none of which holds more tokens than the budget after padding.

    Args:
        budget: tokens at once; if a single row is longer, the tokens of that row.
        streams: the number of micro-batches of an update is a multiple of it; they are of like size.
    """

    def __init__(self, batches: HeadBatches, *, budget: int, streams: int) -> None:
        super().__init__([batches], micro_batch_size=math.ceil(batches.batch_size / streams))
        self.rows, self.budget, self.streams = batches, budget, streams

    def parts(self, update: Update) -> list[Sequence[int]]:
        """The examples of each micro-batch, the longest first."""
        numbers = range(update.first, update.first + update.examples)
        lengths = {number: int(self.rows.lengths[self.rows.row(number)]) for number in numbers}
        ordered = sorted(numbers, key=lambda number: -lengths[number])
        sizes = [lengths[number] for number in ordered]
        count = self.streams
        while count < len(sizes) and _smallest_bound(sizes, count) > self.budget:
            count += self.streams
        starts = _division(sizes, _smallest_bound(sizes, count))
        return [ordered[start:end] for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True)]


def _division(sizes: Sequence[int], bound: int) -> list[int]:
    """Where the parts of falling sizes begin that are as long as `bound`, padded to their first, allows."""
    starts = [0]
    for place, _ in enumerate(sizes):
        if sizes[starts[-1]] * (place + 1 - starts[-1]) > bound:
            starts.append(place)
    return starts


def _smallest_bound(sizes: Sequence[int], count: int) -> int:
    """The fewest padded tokens of the largest part when falling sizes are divided into at most `count` parts."""
    low, high = sizes[0], sizes[0] * len(sizes)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_division(sizes, middle)) <= count else (middle + 1, high)
    return low

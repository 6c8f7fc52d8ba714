"""The losses of a batch: of its labels, and of a teacher's logits.

Of an example with a label it is `1 - weight` times the loss of the label and `weight` times that of the teacher's
logits; of one without a label only the latter, in full (Hinton et al. 2015, section 1: the transfer set may
be unlabelled). Class weights are of labels: an example without one counts 1, which is the mean of those with one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tasks.losses import TaskLosses

ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL = "rows_with_label", "rows_without_label"
"""In a batch of both kinds: int64 of [examples], the places of the rows of each kind."""
TARGETS = ("targets", "soft_targets", ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL)
"""The keys of a batch that the losses use; the others are for the model."""

Batch = Mapping[str, Any]


@dataclass(frozen=True)
class Distillation:
    """The loss is `1 - weight` times that of the labels and `weight` times that of the teacher's logits."""

    weight: float
    temperature: float

    def choice(self, teacher: str, unlabelled: int) -> AutomaticChoice:
        """For the record; `unlabelled` examples have no label."""
        why = f"{self.weight:g} of the loss, at a temperature of {self.temperature:g}"
        whole = f"; the whole loss of {unlabelled:,} examples without labels" if unlabelled else ""
        return AutomaticChoice("teacher", teacher, f"{why}{whole}")


def divided(labelled: Iterable[bool]) -> dict[str, Tensor]:
    """The places of the rows of each kind, for a batch."""
    known = torch.tensor(list(labelled))
    return {ROWS_WITH_LABEL: known.nonzero().flatten(), ROWS_WITHOUT_LABEL: (~known).nonzero().flatten()}


def loss_count(losses: TaskLosses, batch: Batch) -> float:
    """The number of losses that `loss_sums` adds up for a batch; with class weights the sum of their weights."""
    targets = batch["targets"]
    if ROWS_WITHOUT_LABEL not in batch:
        return float(losses.loss_count(targets))
    known, unknown = (targets[batch[kind]] for kind in (ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL))
    return float(losses.loss_count(known) + losses.unweighted.loss_count(unknown))


def loss_sums(losses: TaskLosses, distillation: Distillation | None) -> Callable[[nn.Module, dict[str, Any]], Tensor]:
    """The function that gives the losses of a batch, added up: float32 of [1]."""

    def compute(model: nn.Module, batch: dict[str, Any]) -> Tensor:
        output = model(**{name: value for name, value in batch.items() if name not in TARGETS})
        if ROWS_WITHOUT_LABEL not in batch:
            return _of_labelled(losses, output, batch, distillation)[None]
        assert distillation is not None
        known, unknown = (_rows(output, batch, batch[kind]) for kind in (ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL))
        taught = _of_teacher(losses.unweighted, *unknown, distillation)
        return (_of_labelled(losses, *known, distillation) + taught)[None]

    return compute


def _of_labelled(losses: TaskLosses, output: Any, batch: Batch, distillation: Distillation | None) -> Tensor:
    loss = losses.loss_sum(output, batch["targets"])
    if distillation is None:
        return loss
    return (1 - distillation.weight) * loss + distillation.weight * _of_teacher(losses, output, batch, distillation)


def _of_teacher(losses: TaskLosses, output: Any, batch: Batch, distillation: Distillation) -> Tensor:
    return losses.soft_loss_sum(output, batch["soft_targets"], batch["targets"], distillation.temperature)


def _rows(output: Any, batch: Batch, rows: Tensor) -> tuple[Any, Batch]:
    """The model's output for some rows of a batch, and their targets."""
    chosen = {name: value[rows] for name, value in output.items() if isinstance(value, Tensor)}
    return SimpleNamespace(**chosen), {name: batch[name][rows] for name in TARGETS[:2]}

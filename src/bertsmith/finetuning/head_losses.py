"""The loss of a batch in fine-tuning: from its labels, and from a teacher's logits.

The loss of a labelled example is `1 - weight` times that of its label plus `weight` times that of the teacher's logits.
An unlabelled example only has the loss of the teacher's logits, in full (Hinton et al. 2015, section 1: the transfer
set may be unlabelled). Class weights apply to labels: an unlabelled example has the weight 1, which is the mean of the
labelled ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tasks.task_losses import TaskLosses

ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL = "rows_with_label", "rows_without_label"
"""In a batch with labelled and unlabelled rows: int64 of [rows], the positions of each kind."""
TARGETS = ("targets", "soft_targets", ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL)
"""Keys of a batch that the loss uses; the model gets the others."""

BatchInputs = Mapping[str, Any]
"""`Batch.inputs`: the model's inputs and the labels."""


@dataclass(frozen=True)
class Distillation:
    """How a model learns from a teacher: the weight of its logits in the loss, and their temperature."""

    weight: float
    temperature: float

    def choice(self, teacher: str, unlabelled: int) -> AutomaticChoice:
        """Return the choice that run.json records; `unlabelled` is the number of examples without labels."""
        reason = f"{self.weight:g} of the loss, at temperature {self.temperature:g}"
        if unlabelled:
            reason += f"; the whole loss of {unlabelled:,} examples without labels"
        return AutomaticChoice("teacher", teacher, reason)


def split_by_label(labelled: Iterable[bool]) -> dict[str, Tensor]:
    """Return the positions of the labelled and of the unlabelled rows, as entries of a batch."""
    known = torch.tensor(list(labelled))
    return {ROWS_WITH_LABEL: known.nonzero().flatten(), ROWS_WITHOUT_LABEL: (~known).nonzero().flatten()}


def loss_count(losses: TaskLosses, inputs: BatchInputs) -> float:
    """Return the number of losses that `head_loss_sums` adds up for a batch; with class weights, their sum."""
    targets = inputs["targets"]
    if ROWS_WITHOUT_LABEL not in inputs:
        return float(losses.loss_count(targets))
    known, unknown = (targets[inputs[kind]] for kind in (ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL))
    return float(losses.loss_count(known) + losses.unweighted.loss_count(unknown))


def head_loss_sums(
    losses: TaskLosses, distillation: Distillation | None
) -> Callable[[nn.Module, dict[str, Any]], Tensor]:
    """Return the function that computes the summed loss of a batch: float32 of [1]."""

    def compute(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        output = model(**{name: value for name, value in inputs.items() if name not in TARGETS})
        if ROWS_WITHOUT_LABEL not in inputs:
            return _labelled_loss(losses, output, inputs, distillation)[None]
        assert distillation is not None
        known, unknown = (_rows(output, inputs, inputs[kind]) for kind in (ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL))
        unlabelled_loss = _teacher_loss(losses.unweighted, *unknown, distillation)
        return (_labelled_loss(losses, *known, distillation) + unlabelled_loss)[None]

    return compute


def _labelled_loss(losses: TaskLosses, output: Any, inputs: BatchInputs, distillation: Distillation | None) -> Tensor:
    loss = losses.loss_sum(output, inputs["targets"])
    if distillation is None:
        return loss
    return (1 - distillation.weight) * loss + distillation.weight * _teacher_loss(losses, output, inputs, distillation)


def _teacher_loss(losses: TaskLosses, output: Any, inputs: BatchInputs, distillation: Distillation) -> Tensor:
    return losses.soft_loss_sum(output, inputs["soft_targets"], inputs["targets"], distillation.temperature)


def _rows(output: Any, inputs: BatchInputs, rows: Tensor) -> tuple[Any, BatchInputs]:
    """Return the model's output for some rows of a batch, and their targets."""
    chosen = {name: value[rows] for name, value in output.items() if isinstance(value, Tensor)}
    return SimpleNamespace(**chosen), {name: inputs[name][rows] for name in TARGETS[:2]}

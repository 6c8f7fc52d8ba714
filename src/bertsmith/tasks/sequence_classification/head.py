"""The losses of sequence-classification: cross-entropy, binary cross-entropy, or the squared difference."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.losses import (
    TaskLosses,
    binary_logits,
    soft_losses,
    sum_of_weights,
    weighted_loss_sum,
    weighted_sum,
)
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION


def loss_sum(logits: Tensor, targets: Tensor, problem_type: str) -> Tensor:
    """float32 scalar: cross-entropy in nats, or the squared error, summed over the examples; for several labels the
    binary cross-entropy in nats, summed over examples and labels.
    """
    if problem_type == REGRESSION:
        return functional.mse_loss(logits.float().squeeze(-1), targets.float(), reduction="sum")
    if problem_type == MULTI_LABEL:
        return functional.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="sum")
    return functional.cross_entropy(logits.float(), targets.long(), reduction="sum")


class SequenceLosses(TaskLosses):
    """One row of logits per text."""

    def loss_count(self, targets: Tensor) -> float:
        """One loss per text, or the weight of its class; for several labels one per text and label."""
        return sum_of_weights(targets.long(), self.class_weights)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """As the function `loss_sum`, of the model's logits: [rows, labels]."""
        if self.class_weights is not None:
            return weighted_loss_sum(output.logits, targets.long(), self.class_weights)
        return loss_sum(output.logits, targets, self.task.problem_type)

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Of classes one loss per text, of several labels one per text and label; of numbers the squared difference."""
        student = output.logits.float()
        if self.task.problem_type == REGRESSION:
            return functional.mse_loss(student, soft, reduction="sum")
        if self.task.problem_type == MULTI_LABEL:
            return soft_losses(binary_logits(student), binary_logits(soft), temperature).sum()
        return weighted_sum(soft_losses(student, soft, temperature), targets.long(), self.class_weights)


LOSSES = SequenceLosses

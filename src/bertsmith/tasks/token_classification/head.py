"""The losses of token-classification: the cross-entropy at the first piece of each word."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.task_losses import TaskLosses, soft_losses, sum_of_weights, weighted_loss_sum, weighted_sum
from bertsmith.tasks.values import IGNORED


class TokenLosses(TaskLosses):
    """One row of logits per token, of which those with a target count."""

    def loss_count(self, targets: Tensor) -> float:
        """One loss per word."""
        return sum_of_weights(targets[targets != IGNORED], self.class_weights)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """Cross-entropy in nats, summed over the words."""
        logits, numbers = output.logits.float().flatten(0, 1), targets.flatten()
        if self.class_weights is not None:
            return weighted_loss_sum(logits, numbers, self.class_weights)
        return functional.cross_entropy(logits, numbers, ignore_index=IGNORED, reduction="sum")

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """One loss per word."""
        counted = targets != IGNORED
        losses = soft_losses(output.logits[counted], soft[counted], temperature)
        return weighted_sum(losses, targets[counted], self.class_weights)


LOSSES = TokenLosses

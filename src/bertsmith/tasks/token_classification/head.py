"""The loss of token-classification: the cross-entropy at the first token of each word."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.task_losses import TaskLosses, soft_losses, sum_of_weights, weighted_loss_sum, weighted_sum
from bertsmith.tasks.values import IGNORED


class TokenLosses(TaskLosses):
    """Losses of a row of logits per token; only tokens with a target count."""

    def loss_count(self, targets: Tensor) -> float:
        """Return the number of words, or the sum of their class weights."""
        return sum_of_weights(targets[targets != IGNORED], self.class_weights)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """Return the cross-entropy in nats, summed over the words."""
        logits, numbers = output.logits.float().flatten(0, 1), targets.flatten()
        if self.class_weights is not None:
            return weighted_loss_sum(logits, numbers, self.class_weights)
        return functional.cross_entropy(logits, numbers, ignore_index=IGNORED, reduction="sum")

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the soft losses, summed over the words."""
        counted = targets != IGNORED
        losses = soft_losses(output.logits[counted], soft[counted], temperature)
        return weighted_sum(losses, targets[counted], self.class_weights)


LOSSES = TokenLosses

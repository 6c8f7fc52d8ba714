"""The losses of shouting."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.task_losses import TaskLosses, soft_losses


class ShoutingLosses(TaskLosses):
    def loss_count(self, targets: Tensor) -> int:
        return len(targets)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        return functional.cross_entropy(output.logits.float(), targets, reduction="sum")

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        return soft_losses(output.logits, soft, temperature).sum()


LOSSES = ShoutingLosses

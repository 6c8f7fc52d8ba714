"""The losses of multiple-choice: the cross-entropy over the choices that an example has."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.task_losses import TaskLosses, soft_losses
from bertsmith.tasks.values import MISSING_LOGIT


class ChoiceLosses(TaskLosses):
    """One row of scores per example."""

    def loss_count(self, targets: Tensor) -> int:
        """One loss per example."""
        return len(targets)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """Cross-entropy in nats over the choices that an example has, summed over the examples."""
        return functional.cross_entropy(_scores(output, targets, -torch.inf), targets[:, 0], reduction="sum")

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """One loss per example, over the choices that it has."""
        return soft_losses(_scores(output, targets, MISSING_LOGIT), soft, temperature).sum()


def _scores(output: Any, targets: Tensor, of_missing: float) -> Tensor:
    """float32 of [examples, choices]."""
    scores: Tensor = output.logits.float()
    return scores.masked_fill(torch.arange(scores.shape[1], device=scores.device) >= targets[:, 1:], of_missing)


LOSSES = ChoiceLosses

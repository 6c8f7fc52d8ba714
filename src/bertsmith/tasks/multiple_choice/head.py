"""The loss of multiple-choice: the cross-entropy over the choices of each example."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.task_losses import TaskLosses, soft_losses
from bertsmith.tasks.values import MISSING_LOGIT


class ChoiceLosses(TaskLosses):
    """Losses of a row of scores per example."""

    def loss_count(self, targets: Tensor) -> int:
        """Return the number of examples."""
        return len(targets)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """Return the cross-entropy in nats over the choices of each example, summed over the examples."""
        return functional.cross_entropy(_scores(output, targets, -torch.inf), targets[:, 0], reduction="sum")

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the soft losses over the choices of each example, summed over the examples."""
        return soft_losses(_scores(output, targets, MISSING_LOGIT), soft, temperature).sum()


def _scores(output: Any, targets: Tensor, missing_score: float) -> Tensor:
    """Return the scores, float32 of [examples, choices], with `missing_score` for choices that an example lacks."""
    scores: Tensor = output.logits.float()
    return scores.masked_fill(torch.arange(scores.shape[1], device=scores.device) >= targets[:, 1:], missing_score)


LOSSES = ChoiceLosses

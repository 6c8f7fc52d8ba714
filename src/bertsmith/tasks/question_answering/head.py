"""The losses of question-answering: the cross-entropies of the start and end of the answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.task_losses import TaskLosses, soft_losses
from bertsmith.tasks.values import MISSING_LOGIT


class QuestionLosses(TaskLosses):
    """Losses of start and end logits per token of a row.

    Padding is excluded from the softmax. The stock model includes it, so its loss depends on the batch; for a single
    row both losses are equal.
    """

    def loss_count(self, targets: Tensor) -> int:
        """Return the number of rows."""
        return len(targets)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of start and end in nats, over the tokens of a row, summed over the rows."""
        logits = _logits(output, targets, -torch.inf)
        positions = targets[:, :2].T.flatten()
        return functional.cross_entropy(logits.flatten(0, 1), positions, reduction="sum") / 2

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the mean soft loss of start and end, summed over the rows."""
        teacher = soft.transpose(0, 1).contiguous()
        return soft_losses(_logits(output, targets, MISSING_LOGIT), teacher, temperature).sum() / 2


def _logits(output: Any, targets: Tensor, padding_logit: float) -> Tensor:
    """Return start and end logits: float32 of [2, rows, length], `padding_logit` at padding."""
    logits = torch.stack([output.start_logits, output.end_logits]).float()
    padding = torch.arange(logits.shape[2], device=logits.device) >= targets[:, 2, None]
    return logits.masked_fill(padding, padding_logit)


LOSSES = QuestionLosses

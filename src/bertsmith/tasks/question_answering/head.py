"""The losses of question-answering: the cross-entropies of the start and the end of the answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.task_losses import TaskLosses, soft_losses
from bertsmith.tasks.values import MISSING_LOGIT


class QuestionLosses(TaskLosses):
    """Logits of start and end per token of a row. Stock's model chooses among the padding too, so that its loss depends
    on the batch; a single row has the same loss here and there.
    """

    def loss_count(self, targets: Tensor) -> int:
        """One loss per row."""
        return len(targets)

    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """The mean of the cross-entropies of start and end in nats, over the tokens of a row, summed over the rows."""
        logits = _logits(output, targets, -torch.inf)
        positions = targets[:, :2].T.flatten()
        return functional.cross_entropy(logits.flatten(0, 1), positions, reduction="sum") / 2

    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """One loss per row: the mean of those of start and end."""
        teacher = soft.transpose(0, 1).contiguous()
        return soft_losses(_logits(output, targets, MISSING_LOGIT), teacher, temperature).sum() / 2


def _logits(output: Any, targets: Tensor, of_padding: float) -> Tensor:
    """float32 of [2, rows, length]."""
    logits = torch.stack([output.start_logits, output.end_logits]).float()
    padding = torch.arange(logits.shape[2], device=logits.device) >= targets[:, 2, None]
    return logits.masked_fill(padding, of_padding)


LOSSES = QuestionLosses

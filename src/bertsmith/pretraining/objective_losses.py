"""The losses of each objective, from the output of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bertsmith.pretraining.teacher import Teacher
from bertsmith.training.batches import Batch

LOSSES = {
    "mlm+nsp": ("mlm_loss", "nsp_loss"),
    "mlm": ("mlm_loss",),
    "nsp": ("nsp_loss",),
    "mlm+sop": ("mlm_loss", "nsp_loss"),
}
"""The losses of each objective; sentence order prediction trains the NSP head."""

TEACHER_LOSS = "teacher_loss"
"""The loss that a run with a teacher has in addition."""


def loss_sums(names: Sequence[str], teacher: Teacher | None = None) -> Callable[[nn.Module, Batch], Tensor]:
    """The function that gives a batch's summed losses, in the order of the names.

    With a teacher the gradients of the masked tokens are divided between their labels and its answers; the losses are
    whole, so that they can be compared with those of a run without one.
    """

    def compute(model: nn.Module, batch: Batch) -> Tensor:
        output = model(**batch, keep_logits=teacher is not None)
        sums = {"mlm_loss": output.mlm_loss_sum, "nsp_loss": output.nsp_loss_sum}
        if teacher is not None:
            answers = teacher.loss_sum(batch, output.prediction_logits)
            sums["mlm_loss"] = _counting(sums["mlm_loss"], 1 - teacher.weight)
            sums[TEACHER_LOSS] = _counting(answers, teacher.weight)
        return torch.stack([sums[name] for name in names])

    return compute


def _counting(loss: Tensor, weight: float) -> Tensor:
    """The loss, with its gradient scaled."""
    return weight * loss + (1 - weight) * loss.detach()

"""The losses of each pre-training objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bertsmith.pretraining.masked_token_teacher import MaskedTokenTeacher

LOSSES = {
    "mlm+nsp": ("mlm_loss", "nsp_loss"),
    "mlm": ("mlm_loss",),
    "nsp": ("nsp_loss",),
    "mlm+sop": ("mlm_loss", "nsp_loss"),
}
"""Sentence order prediction trains the NSP head, so its loss is `nsp_loss`."""

TEACHER_LOSS = "teacher_loss"
"""The additional loss of a run with a teacher."""


def loss_sums(
    names: Sequence[str], teacher: MaskedTokenTeacher | None = None
) -> Callable[[nn.Module, dict[str, Tensor]], Tensor]:
    """Return the function that computes the summed losses of a batch, in the order of `names`.

    With a teacher the gradient of masked tokens is a weighted sum of those of labels and teacher. The losses themselves
    are not weighted, so that they can be compared with those of a run without a teacher.
    """

    def compute(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        output = model(**inputs, keep_logits=teacher is not None)
        sums = {"mlm_loss": output.mlm_loss_sum, "nsp_loss": output.nsp_loss_sum}
        if teacher is not None:
            teacher_loss = teacher.loss_sum(inputs, output.prediction_logits)
            sums["mlm_loss"] = _scale_gradient(sums["mlm_loss"], 1 - teacher.weight)
            sums[TEACHER_LOSS] = _scale_gradient(teacher_loss, teacher.weight)
        return torch.stack([sums[name] for name in names])

    return compute


def _scale_gradient(loss: Tensor, weight: float) -> Tensor:
    """Return the same loss, with its gradient multiplied by `weight`."""
    return weight * loss + (1 - weight) * loss.detach()

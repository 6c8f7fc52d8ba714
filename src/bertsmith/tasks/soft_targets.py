"""What a student learns of a teacher: its distribution, softened by a temperature (Hinton et al. 2015, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor

NOT_THERE = -1e9
"""The logit of an option that an example does not have."""


def soft_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """float32 of [...]: T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, for logits of [..., options].

    Its gradient is that of the cross-entropy to the softened distribution; by T^2 it is as large at any temperature. It
    is 0 where both say the same.
    """
    wanted, found = ((logits.float() / temperature).log_softmax(-1) for logits in (teacher, student))
    return (wanted.exp() * (wanted - found)).sum(-1) * temperature**2


def with_opposite(logits: Tensor) -> Tensor:
    """Logits of yes or no, of [...], as those of two options, of [..., 2]: the softmax is the logistic function."""
    return torch.stack([logits, torch.zeros_like(logits)], -1)

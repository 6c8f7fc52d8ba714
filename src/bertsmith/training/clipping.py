"""Gradient clipping by the norm of all gradients, whole or sharded."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from bertsmith.runtime import processes

CHUNK = 1 << 16
"""Numbers summed in float32 at once: torch's own norm of a whole matrix of millions is 1e-4 too small on the CPU."""


def clip_gradients(model: nn.Module, max_norm: float) -> float:
    """Scale the gradients of a model down to a norm of `max_norm` where it is larger; returns the norm before that."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    parts = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
    chunks = [chunk for part in parts for chunk in part.reshape(-1).split(CHUNK)]
    norm = float(nn.utils.get_total_norm(chunks))
    if any(isinstance(gradient, DTensor) for gradient in gradients):
        norm = math.sqrt(processes.all_reduce_sum([norm**2])[0])
    if norm > max_norm:
        torch._foreach_mul_(parts, max_norm / (norm + 1e-6))
    return norm

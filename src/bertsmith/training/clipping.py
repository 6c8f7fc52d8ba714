"""Gradient clipping by the norm of all gradients, sharded or not."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from bertsmith.runtime import processes

CHUNK = 1 << 16
"""Numbers summed at once in float32. torch's norm of a matrix of millions of numbers is 1e-4 too small on the CPU."""


def clip_gradients(model: nn.Module, max_norm: float) -> float:
    """Scale the gradients of a model down to `max_norm` if their norm is larger; return the norm before clipping."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    local = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
    chunks = [chunk for gradient in local for chunk in gradient.reshape(-1).split(CHUNK)]
    norm = float(nn.utils.get_total_norm(chunks))
    if any(isinstance(gradient, DTensor) for gradient in gradients):
        norm = math.sqrt(processes.all_reduce_sum([norm**2])[0])
    if norm > max_norm:
        torch._foreach_mul_(local, max_norm / (norm + 1e-6))
    return norm

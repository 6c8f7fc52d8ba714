"""Low-rank adapters (LoRA: Hu et al. 2021, section 4.1) of several linear layers in two products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def with_adapters(rows: Tensor, projected: Tensor, modules: Sequence[Any]) -> Tensor:
    """Add the outputs of peft's adapters to the outputs of linear layers, which are concatenated.

    The matrices A are stacked and the matrices B form a block diagonal, so that two products serve all layers. Adapters
    have no dropout.

    Args:
        rows: the input of all layers, [rows, inputs].
        projected: rows @ weight.T + bias of each layer, [rows, outputs of all].
        modules: the layers, with or without an adapter.
    """
    adapted = [_matrices(module) for module in modules]
    if not any(len(lower) for lower, _ in adapted):
        return projected
    lower = torch.cat([lower for lower, _ in adapted]).to(rows.dtype)
    upper = torch.block_diag(*[upper for _, upper in adapted]).to(rows.dtype)
    return torch.addmm(projected, functional.linear(rows, lower), upper.t())


def _matrices(module: Any) -> tuple[Tensor, Tensor]:
    """Return A of [rank, inputs] and B of [outputs, rank], which is scaled; rank is 0 without an adapter."""
    if not hasattr(module, "lora_A"):
        weight = module.weight
        return weight.new_empty(0, weight.shape[1]), weight.new_empty(weight.shape[0], 0)
    (name,) = module.active_adapters
    return module.lora_A[name].weight, module.lora_B[name].weight * module.scaling[name]

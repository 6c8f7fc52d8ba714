"""What low-rank adapters add to linear layers (LoRA: Hu et al. 2021, section 4.1), for all layers in two products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def with_adapters(rows: Tensor, projected: Tensor, modules: Sequence[Any]) -> Tensor:
    """The outputs of linear layers side by side, with what the adapters of peft that some of them have add to each.

    The matrices A stand below each other and the matrices B on the diagonal, so that every row goes through both once.
    Adapters have no dropout.

    Args:
        rows: the inputs of all layers, [rows, inputs].
        projected: rows @ weight.T + bias of each layer, [rows, outputs of all].
        modules: the layers, plain or of peft.
    """
    adapted = [_matrices(module) for module in modules]
    if not any(len(lower) for lower, _ in adapted):
        return projected
    lower = torch.cat([lower for lower, _ in adapted]).to(rows.dtype)
    upper = torch.block_diag(*[upper for _, upper in adapted]).to(rows.dtype)
    return torch.addmm(projected, functional.linear(rows, lower), upper.t())


def _matrices(module: Any) -> tuple[Tensor, Tensor]:
    """A of [rank, inputs] and B of [outputs, rank], which is scaled; of rank 0 where a layer has no adapter."""
    if not hasattr(module, "lora_A"):
        weight = module.weight
        return weight.new_empty(0, weight.shape[1]), weight.new_empty(weight.shape[0], 0)
    (name,) = module.active_adapters
    return module.lora_A[name].weight, module.lora_B[name].weight * module.scaling[name]

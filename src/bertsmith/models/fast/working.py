"""Working copies: a model's float32 weights in the precision that the training step multiplies with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

VOCABULARY_BLOCK = 64
"""Entries of the decoder come in multiples of this: products of such sizes leave no remainders."""


@dataclass(frozen=True)
class _Copy:
    versions: tuple[int, ...]
    tensor: Tensor


class WorkingCopies:
    """Copies of weights in the precision of the products, each made anew when its weight has changed.

    The float32 weights stay the model's parameters: optimizer, checkpoints and keys know nothing of the copies. A
    weight has changed when its version counter has, which every write in place raises (`count_updates` sees to it
    where an optimizer's kernel does not).

    Args:
        dtype: of the products.
        kept: False where other weights come and go in the same memory, as those of a sharded model do: then each use
            makes its copy.
    """

    def __init__(self, dtype: torch.dtype, *, kept: bool = True) -> None:
        self.dtype, self.kept = dtype, kept
        self._copies: dict[tuple[int, ...], _Copy] = {}

    def of(self, *weights: Tensor) -> Tensor:
        """The weights as one matrix or vector, one below the other."""
        if len(weights) == 1 and weights[0].dtype == self.dtype:
            return weights[0].detach()
        return self._copy(weights, lambda parts: torch.cat([part.to(self.dtype) for part in parts]))

    def of_vocabulary(self, weight: Tensor, filling: float) -> Tensor:
        """The weight with entries of `filling` up to a multiple of VOCABULARY_BLOCK."""
        missing = -len(weight) % VOCABULARY_BLOCK
        if not missing:
            return self.of(weight)

        def padded(parts: tuple[Tensor, ...]) -> Tensor:
            (part,) = parts
            return torch.cat(
                [part.to(self.dtype), part.new_full((missing, *part.shape[1:]), filling, dtype=self.dtype)]
            )

        return self._copy((weight,), padded)

    @torch.no_grad()
    def _copy(self, weights: tuple[Tensor, ...], make: Callable[[tuple[Tensor, ...]], Tensor]) -> Tensor:
        weights = tuple(weight.detach() for weight in weights)
        if not self.kept:
            return make(weights)
        key = tuple(weight.data_ptr() for weight in weights)
        versions = tuple(weight._version for weight in weights)
        found = self._copies.get(key)
        if found is None or found.versions != versions:
            found = self._copies[key] = _Copy(versions, make(weights))
        return found.tensor


def count_updates(optimizer: torch.optim.Optimizer, weights: Iterable[Tensor]) -> None:
    """Raise the version counters of weights at each step: torch's fused AdamW writes without raising them."""
    counted = list(weights)

    def raise_counters(*_: Any) -> None:
        torch.autograd.graph.increment_version(counted)

    optimizer.register_step_post_hook(raise_counters)

"""Working copies: a model's float32 weights in the precision that the training step multiplies with."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import nullcontext
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


class ComputeWeights:
    """Copies of weights in the precision of the products, each made anew when its weight has changed.

    The float32 weights stay the model's parameters: optimizer, checkpoints and keys know nothing of the copies. A
    weight has changed when its version counter has, which every write in place raises (`count_updates` sees to it
    where an optimizer's kernel does not).

    Threads may share the copies: the first that needs one makes it for all.

    Args:
        dtype: of the products.
        kept: False where other weights come and go in the same memory, as those of a sharded model do: then each use
            makes its copy.
    """

    def __init__(self, dtype: torch.dtype, *, kept: bool = True) -> None:
        self.dtype, self.kept = dtype, kept
        self._copies: dict[tuple[int, ...], _Copy] = {}
        self._making = threading.Lock()

    @classmethod
    def for_precision(cls, precision: str, *, kept: bool = True) -> ComputeWeights:
        """Of bfloat16 with `bf16`, else of float32."""
        return cls(torch.bfloat16 if precision == "bf16" else torch.float32, kept=kept)

    def of(self, *weights: Tensor) -> Tensor:
        """The weights as one matrix or vector, one below the other."""
        if len(weights) == 1 and weights[0].dtype == self.dtype:
            return weights[0].detach()
        return self._copy(weights, sum(map(len, weights)), 0.0)

    def of_vocabulary(self, weight: Tensor, filling: float) -> Tensor:
        """The weight with entries of `filling` up to a multiple of VOCABULARY_BLOCK."""
        entries = -(-len(weight) // VOCABULARY_BLOCK) * VOCABULARY_BLOCK
        return self.of(weight) if entries == len(weight) else self._copy((weight,), entries, filling)

    def _copy(self, weights: tuple[Tensor, ...], entries: int, filling: float) -> Tensor:
        key = (entries, *(weight.data_ptr() for weight in weights))
        versions = tuple(weight._version for weight in weights)
        with self._making if self.kept else nullcontext():
            found = self._copies.get(key)
            if found is None or found.versions != versions:
                found = _Copy(versions, self._made(weights, entries, filling))
                if self.kept:
                    self._copies[key] = found
            return found.tensor

    def _made(self, weights: tuple[Tensor, ...], entries: int, filling: float) -> Tensor:
        # A copy that is made in a prediction is for training as well.
        with torch.inference_mode(mode=False), torch.no_grad():
            copy = weights[0].new_empty(entries, *weights[0].shape[1:], dtype=self.dtype)
            first = 0
            for weight in weights:
                copy[first : first + len(weight)] = weight
                first += len(weight)
            copy[first:] = filling
        return copy


def count_updates(optimizer: torch.optim.Optimizer, weights: Iterable[Tensor]) -> None:
    """Raise the version counters of weights at each step: torch's fused AdamW writes without raising them."""
    counted = list(weights)

    def raise_counters(*_: Any) -> None:
        torch.autograd.graph.increment_version(counted)

    optimizer.register_step_post_hook(raise_counters)

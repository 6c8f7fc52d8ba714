"""Copies of a model's float32 weights in the precision of the matrix products of training."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

VOCABULARY_BLOCK = 64
"""The decoder is padded to a multiple of this many entries, so that matrix kernels have no remainder."""


@dataclass(frozen=True)
class _Copy:
    versions: tuple[int, ...]
    tensor: Tensor


class ComputeWeights:
    """Copies of weights in the precision of the products; a copy is renewed when its weight has changed.

    The float32 weights remain the model's parameters: optimizer, checkpoints and keys do not see the copies. A weight
    has changed if its version counter has, which every write in place raises (`count_updates` does so for optimizer
    kernels that do not).

    Threads can share the copies: the first thread that needs one makes it for all.

    Args:
        dtype: the type of the products.
        cached: False for a sharded model, whose weights are gathered into changing memory: every use makes its copy.
    """

    def __init__(self, dtype: torch.dtype, *, cached: bool = True) -> None:
        self.dtype, self.cached = dtype, cached
        self._copies: dict[tuple[int, ...], _Copy] = {}
        self._lock = threading.Lock()

    @classmethod
    def for_precision(cls, precision: str, *, cached: bool = True) -> ComputeWeights:
        """Return copies in bfloat16 for `bf16`, else in float32."""
        return cls(torch.bfloat16 if precision == "bf16" else torch.float32, cached=cached)

    def joined(self, *weights: Tensor) -> Tensor:
        """Return weights as one matrix or vector, concatenated along the first dimension."""
        if len(weights) == 1 and weights[0].dtype == self.dtype:
            return weights[0].detach()
        return self._copy(weights, sum(map(len, weights)), 0.0)

    def padded_vocabulary(self, weight: Tensor, filling: float) -> Tensor:
        """Return a weight, padded with `filling` to a multiple of VOCABULARY_BLOCK entries."""
        entries = -(-len(weight) // VOCABULARY_BLOCK) * VOCABULARY_BLOCK
        return self.joined(weight) if entries == len(weight) else self._copy((weight,), entries, filling)

    def _copy(self, weights: tuple[Tensor, ...], entries: int, filling: float) -> Tensor:
        key = (entries, *(weight.data_ptr() for weight in weights))
        versions = tuple(weight._version for weight in weights)
        with self._lock if self.cached else nullcontext():
            found = self._copies.get(key)
            if found is None or found.versions != versions:
                found = _Copy(versions, self._make(weights, entries, filling))
                if self.cached:
                    self._copies[key] = found
            return found.tensor

    def _make(self, weights: tuple[Tensor, ...], entries: int, filling: float) -> Tensor:
        # A copy that is made during a prediction is also used in training.
        with torch.inference_mode(mode=False), torch.no_grad():
            copy = weights[0].new_empty(entries, *weights[0].shape[1:], dtype=self.dtype)
            first = 0
            for weight in weights:
                copy[first : first + len(weight)] = weight
                first += len(weight)
            copy[first:] = filling
        return copy


def count_updates(optimizer: torch.optim.Optimizer, weights: Iterable[Tensor]) -> None:
    """Raise the version counters of weights after each optimizer step: torch's fused AdamW does not."""
    counted = list(weights)

    def raise_counters(*_: Any) -> None:
        torch.autograd.graph.increment_version(counted)

    optimizer.register_step_post_hook(raise_counters)

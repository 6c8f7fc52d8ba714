"""Pooling: the vector of a text from the vectors of its tokens."""

from __future__ import annotations

from torch import Tensor

from bertsmith.errors import InputError


def pooled(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Return float32 of [texts, hidden size]: mean or maximum over the tokens including [CLS] and [SEP], or [CLS].

    Args:
        hidden: float32 of [texts, length, hidden size].
        mask: int64 of [texts, length], 0 for padding.
    """
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "max":
        return hidden.masked_fill(mask[:, :, None] == 0, float("-inf")).amax(1)
    if pooling == "mean":
        weights = mask[:, :, None].to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1)
    raise InputError(f"pooling: found {pooling!r}, expected mean, cls or max")

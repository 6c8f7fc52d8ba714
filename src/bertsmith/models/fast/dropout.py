"""Dropout by masks that multiply the bits of numbers; several times faster than torch's on the CPU.

Each mask has its own generator (SFC64), seeded from torch's random state. So a checkpoint, or a recomputed layer, that
restores torch's random state draws the same masks again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

BITS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}
"""The integer type with the width of each number type."""

_LEVELS = 256
"""One random byte decides whether an element is dropped."""


def keep_mask(
    shape: Sequence[int], dtype: torch.dtype, probability: float, generator: torch.Generator | None = None
) -> Tensor:
    """Return integers as wide as `dtype`, on the CPU: 1 for a number that is kept, 0 for one that is dropped.

    Each element is dropped with the given probability. Because one byte decides, the rate within a mask is one of the
    two nearest multiples of 1/256, drawn so that their mean is the probability.

    Args:
        generator: the source of the mask's seed; torch's default generator if None.
    """
    seed, draw = torch.randint(2**53, (2,), generator=generator).tolist()
    threshold, elements = int(probability * _LEVELS + draw / 2**53), math.prod(shape)
    drawn = np.random.SFC64(seed).random_raw(-(-elements // 8)).view(np.uint8)[:elements]
    return torch.from_numpy(np.greater_equal(drawn, threshold)).view(*shape).to(BITS[dtype])


def drop(values: Tensor, mask: Tensor) -> Tensor:
    """Return a new tensor with the values that are kept, and zeros elsewhere. Nothing is scaled."""
    return (values.view(mask.dtype) * mask).view(values.dtype)


def drop_(values: Tensor, mask: Tensor) -> Tensor:
    """Set dropped values to zero in place, like `drop`."""
    values.view(mask.dtype).mul_(mask)
    return values

"""Dropout by masks that multiply the bits of a number, several times faster than torch's on the CPU.

Each mask comes from a generator of its own (SFC64) whose seed is drawn from torch's: whoever restores torch's random
state, a checkpoint or a layer that is computed again, draws the same masks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

BITS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}
"""The integers that are as wide as a number."""

_LEVELS = 256
"""A byte decides over an element."""


def keep_mask(
    shape: Sequence[int], dtype: torch.dtype, probability: float, generator: torch.Generator | None = None
) -> Tensor:
    """Integers as wide as `dtype`, on the CPU: 1 where a number is kept, 0 where it is dropped.

    Each element is dropped with the given probability. As one byte decides, a mask as a whole has one of the two
    nearest multiples of 1/256 as its rate, drawn so that their mean is the probability.

    Args:
        generator: where the mask's seed is drawn from, torch's own by default.
    """
    seed, draw = torch.randint(2**53, (2,), generator=generator).tolist()
    threshold, elements = int(probability * _LEVELS + draw / 2**53), math.prod(shape)
    drawn = np.random.SFC64(seed).random_raw(-(-elements // 8)).view(np.uint8)[:elements]
    return torch.from_numpy(np.greater_equal(drawn, threshold)).view(*shape).to(BITS[dtype])


def drop(values: Tensor, mask: Tensor) -> Tensor:
    """The values that are kept, zero elsewhere; a new tensor. They are not scaled."""
    return (values.view(mask.dtype) * mask).view(values.dtype)


def drop_(values: Tensor, mask: Tensor) -> Tensor:
    """`drop` in place."""
    values.view(mask.dtype).mul_(mask)
    return values

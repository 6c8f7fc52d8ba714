"""The context in which a model computes, and whether its memory was short."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def computing(precision: str, device: str) -> AbstractContextManager[Any]:
    """bfloat16 autocast for `bf16`, nothing for `fp32`."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def is_short_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is short; on the CPU torch has no class of its own for it."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)

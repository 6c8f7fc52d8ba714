"""The contexts in which a model computes, and whether its memory was short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any


def computing(precision: str, device: str) -> AbstractContextManager[Any]:
    """bfloat16 autocast for `bf16`, nothing for `fp32`."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def deterministic() -> Iterator[None]:
    """Kernels that give the same bits again, on CUDA too, where sums by atomic additions come in any order.

    What has no such kernel raises. On the CPU nothing changes: what is used here is deterministic as it is.
    """
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic  # its annotations do not name what it holds
    filling = settings.fill_uninitialized_memory
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(True)
        settings.fill_uninitialized_memory = False  # nothing here reads what it has not written
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        settings.fill_uninitialized_memory = filling


def is_short_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is short; on the CPU torch has no class of its own for it."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)

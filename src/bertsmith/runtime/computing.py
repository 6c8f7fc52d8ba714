"""The contexts in which a model computes, and whether its memory was short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from bertsmith.runtime.console import warn


def computing(precision: str, device: str) -> AbstractContextManager[Any]:
    """bfloat16 autocast for `bf16`, nothing for `fp32`."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def deterministic(*, known: bool) -> Iterator[None]:
    """Kernels that give the same bits again, on CUDA too, where sums by atomic additions come in any order.

    On the CPU nothing changes: what is used here is deterministic as it is.

    Args:
        known: whether all that is computed is known to have such kernels; else what has none is computed with others.
    """
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic  # its annotations do not name what it holds
    filling = settings.fill_uninitialized_memory
    try:
        if torch.cuda.is_available():
            torch.use_deterministic_algorithms(True, warn_only=not known)
            settings.fill_uninitialized_memory = False  # nothing here reads what it has not written
            if known and not _has_deterministic_products():
                torch.use_deterministic_algorithms(False)
                warn(
                    "this run made again, or resumed, may end in other bits: CUDA's products were begun without "
                    "CUBLAS_WORKSPACE_CONFIG=:4096:8; set it, or import bertsmith, before anything runs on the GPU"
                )
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        settings.fill_uninitialized_memory = filling


def _has_deterministic_products() -> bool:
    """Whether cuBLAS agrees: it reads CUBLAS_WORKSPACE_CONFIG once in a process, at its first product."""
    import torch

    small = torch.ones(8, 8, device="cuda")
    try:
        small @ small
    except RuntimeError:
        return False
    return True


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is short; on the CPU torch has no class of its own for it."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)

"""Contexts in which a model computes, and errors that mean too little memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from bertsmith.runtime.console import warn


def computing(precision: str, device: str) -> AbstractContextManager[Any]:
    """Return bfloat16 autocast for `bf16`, a context without effect for `fp32`."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def deterministic(*, known: bool) -> Iterator[None]:
    """Compute with deterministic kernels, also on CUDA, where atomic additions have no fixed order.

    On the CPU nothing changes: the kernels used here are deterministic.

    Args:
        known: whether all operations of the model are known to have deterministic kernels. If not, operations without
            one use another kernel, with a warning.
    """
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic  # its annotations do not list its settings
    filling = settings.fill_uninitialized_memory
    try:
        if torch.cuda.is_available():
            torch.use_deterministic_algorithms(True, warn_only=not known)
            settings.fill_uninitialized_memory = False  # no code here reads memory before writing it
            if known and not _has_deterministic_products():
                torch.use_deterministic_algorithms(False)
                warn(
                    "results may differ slightly if this run is repeated or resumed: CUDA was first used without "
                    "CUBLAS_WORKSPACE_CONFIG=:4096:8. Try: set it, or import bertsmith, before anything runs on the GPU"
                )
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        settings.fill_uninitialized_memory = filling


def _has_deterministic_products() -> bool:
    """Return whether cuBLAS is deterministic: it reads CUBLAS_WORKSPACE_CONFIG once, at the first product."""
    import torch

    small = torch.ones(8, 8, device="cuda")
    try:
        small @ small
    except RuntimeError:
        return False
    return True


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error means too little memory; on the CPU torch has no exception class for it."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)

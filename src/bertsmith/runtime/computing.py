"""The context in which a model computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def computing(precision: str, device: str) -> AbstractContextManager[Any]:
    """bfloat16 autocast for `bf16`, nothing for `fp32`."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()

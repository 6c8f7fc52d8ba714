"""The training step by torch.compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bertsmith.errors import ResourceError


@contextmanager
def compiled(model: Any) -> Iterator[None]:
    """Let torch.compile make what a model computes with. Raises ResourceError where it cannot."""
    from torch._dynamo.exc import BackendCompilerFailed

    model.compile()
    try:
        yield
    except BackendCompilerFailed as error:
        reason = str(error).strip().splitlines()[0]
        raise ResourceError(
            f"--compile: torch.compile failed ({reason}); it needs a C++ compiler such as g++. Leave it out: "
            "the step without it is faster on a CPU"
        ) from None
    finally:
        model._compiled_call_impl = None

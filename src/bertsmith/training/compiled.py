"""Training with torch.compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bertsmith.errors import ResourceError


@contextmanager
def compiled(model: Any) -> Iterator[None]:
    """Compile a model with torch.compile for the time of the context. Raises ResourceError if that fails."""
    from torch._dynamo.exc import BackendCompilerFailed

    model.compile()
    try:
        yield
    except BackendCompilerFailed as error:
        reason = str(error).strip().splitlines()[0]
        raise ResourceError(
            f"--compile: torch.compile failed ({reason}). It needs a C++ compiler such as g++. Try: leave out "
            "--compile; on a CPU this is even faster"
        ) from None
    finally:
        model._compiled_call_impl = None

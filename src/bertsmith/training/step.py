"""The operations that a training computes with: the fast ones, several streams of them, or those of torch.compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch import nn

from bertsmith.models.fast.parts import fast
from bertsmith.models.fast.working import WorkingCopies
from bertsmith.training.compiled import compiled
from bertsmith.training.plan import Computation
from bertsmith.training.streams import Streams


@contextmanager
def step_of(model: nn.Module, computation: Computation) -> Iterator[Streams | None]:
    """Let a model compute as it is planned; gives the streams if there are several."""
    if computation.compiled:
        with compiled(model):
            yield None
        return
    copies = WorkingCopies.for_precision(computation.precision, kept=not computation.sharded)
    streams = None
    with ExitStack() as entered:
        if computation.streams > 1:  # they copy the model as it is without the fast operations
            streams = Streams(model, computation.streams, copies, precision=computation.precision)
            entered.enter_context(streams)
        entered.enter_context(fast(model, copies))
        yield streams

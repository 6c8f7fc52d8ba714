"""The operations that a model trains with: the fast ones, threads that compute micro-batches, or torch.compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch import nn

from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.fast_bert import fast
from bertsmith.training.compiled import compiled
from bertsmith.training.micro_batch_threads import MicroBatchThreads
from bertsmith.training.training_plan import Computation


@contextmanager
def training_operations(model: nn.Module, computation: Computation) -> Iterator[MicroBatchThreads | None]:
    """Switch a model to the operations that it trains with; yields the threads, if there are any."""
    if computation.compiled:
        with compiled(model):
            yield None
        return
    weights = ComputeWeights.for_precision(computation.precision, cached=not computation.sharded)
    threads = None
    with ExitStack() as entered:
        if computation.micro_batch_threads > 1:  # they copy the model before it gets the fast operations
            threads = MicroBatchThreads(
                model, computation.micro_batch_threads, weights, precision=computation.precision
            )
            entered.enter_context(threads)
        entered.enter_context(fast(model, weights))
        yield threads

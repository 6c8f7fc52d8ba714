"""Micro-batches computed in parallel threads on the CPU, each thread with its share of the cores.

Threads inside one operation wait for each other at its end, some thousand times per step, and most operations of a
small model are too short to be divided well. Here each thread takes a whole micro-batch through its forward and
backward pass; threads meet once per update, when their gradients are added, always in the same order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.fast_bert import fast
from bertsmith.runtime.computing import computing

ComputeLosses = Callable[[nn.Module, Any], Tensor]
"""Returns the losses of a micro-batch, which are to be added up: float32 of [losses]."""


class MicroBatchThreads:
    """Threads, each with a replica of the model that shares its weights; a context for the time of a training.

    Args:
        model: a BERT with or without a head (`models.fast.fast_bert.encoder_of`); its weights change in place only.
        count: the number of threads; each computes with its share of torch's threads.
    """

    def __init__(self, model: nn.Module, count: int, weights: ComputeWeights, *, precision: str) -> None:
        self.precision, self.weights = precision, weights
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.generators = [torch.Generator() for _ in range(count)]
        self.replicas: list[nn.Module] = []
        self.replica_parameters: list[list[nn.Parameter]] = []
        self.row_gradient: Tensor | None = None
        """The dense gradient of word embeddings of which few rows were read; reused, because it is large."""
        self.filled_rows: list[Tensor] = []
        """The rows of `row_gradient` that are not zero."""
        for _ in range(count):
            replica, parameters = _replicate(model, self.parameters)
            self.replicas.append(replica)
            self.replica_parameters.append(parameters)

    def __enter__(self) -> MicroBatchThreads:
        self._open = ExitStack()
        for replica, generator in zip(self.replicas, self.generators, strict=True):
            self._open.enter_context(fast(replica.train(), self.weights, generator=generator, sparse_rows=True))
        count, all_threads = len(self.replicas), torch.get_num_threads()
        threads = max(1, all_threads // count)
        # set_num_threads sets the number of the calling thread, and that of all threads started later.
        self.pool = ThreadPoolExecutor(count, "micro-batch", initializer=torch.set_num_threads, initargs=(threads,))
        self._open.callback(torch.set_num_threads, all_threads)
        self._open.callback(self.pool.shutdown)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def backward(self, batches: Sequence[Any], compute_losses: ComputeLosses) -> list[Tensor]:
        """Compute micro-batches and add their gradients to the model's; return the losses of each, in order.

        Dropout depends on torch's random state and the position of a micro-batch, not on the thread.
        """
        count = len(self.replicas)
        seeds = torch.randint(2**62, (len(batches),)).tolist()

        def compute(thread: int) -> list[Tensor]:
            found = []
            for number in range(thread, len(batches), count):
                self.generators[thread].manual_seed(seeds[number])
                with computing(self.precision, "cpu"):
                    losses = compute_losses(self.replicas[thread], batches[number])
                losses.sum().backward()
                found.append(losses.detach())
            return found

        found = list(self.pool.map(compute, range(count)))
        self._add_gradients()
        return [found[number % count][number // count] for number in range(len(batches))]

    def _add_gradients(self) -> None:
        """Add the gradients of all replicas to the model's, and clear them."""
        for number, parameter in enumerate(self.parameters):
            replica_gradients = [parameters[number].grad for parameters in self.replica_parameters]
            gradients = [gradient for gradient in (parameter.grad, *replica_gradients) if gradient is not None]
            if gradients:
                dense = [gradient for gradient in gradients if not gradient.is_sparse]
                total = dense[0] if dense else self._zeros_like(parameter)
                for gradient in dense[1:]:
                    total += gradient
                for gradient in gradients:
                    if gradient.is_sparse:
                        self._add_rows(total, gradient)
                parameter.grad = total
            for parameters in self.replica_parameters:
                parameters[number].grad = None

    def _zeros_like(self, parameter: nn.Parameter) -> Tensor:
        """Return zeros for the word embeddings: the gradient of the last update with its few rows cleared."""
        if self.row_gradient is None or self.row_gradient.shape != parameter.shape:
            self.row_gradient = torch.zeros_like(parameter)
        for rows in self.filled_rows:
            self.row_gradient.index_fill_(0, rows, 0.0)
        self.filled_rows = []
        return self.row_gradient

    def _add_rows(self, total: Tensor, sparse: Tensor) -> None:
        rows = sparse._indices()[0]
        total.index_add_(0, rows, sparse._values())
        if total is self.row_gradient:
            self.filled_rows.append(rows)


def _replicate(model: nn.Module, parameters: Sequence[nn.Parameter]) -> tuple[nn.Module, list[nn.Parameter]]:
    """Return a copy of a model with the same weights but its own gradients, and its versions of the parameters."""
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=parameter.requires_grad)
    replica = copy.deepcopy(model, memo)
    return replica, [memo[id(parameter)] for parameter in parameters]

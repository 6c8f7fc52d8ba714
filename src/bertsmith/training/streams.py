"""Streams: micro-batches that are computed side by side, each by cores of its own.

The threads of one operation wait for each other at its end, some thousand times a step, and most operations of a small
model are too short to be divided well. A stream instead takes a micro-batch through its forward and backward pass
alone; streams meet once an update, where their gradients are added, always in the same order.
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

from bertsmith.models.fast.parts import fast
from bertsmith.models.fast.working import WorkingCopies
from bertsmith.runtime.computing import computing

Shares = Callable[[nn.Module, Any], Tensor]
"""Gives the losses of a micro-batch, to be added up: float32 of [losses]."""


class Streams:
    """Several copies of a model on the CPU that share its weights, and a thread for each; entered for a training.

    Args:
        model: a BERT with or without a head (`models.fast.parts.encoder_of`); its weights are changed in place only.
        count: of streams; each computes with its share of the threads that torch has now.
    """

    def __init__(self, model: nn.Module, count: int, copies: WorkingCopies, *, precision: str) -> None:
        self.precision, self.copies = precision, copies
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.generators = [torch.Generator() for _ in range(count)]
        self.replicas: list[nn.Module] = []
        self.aliases: list[list[nn.Parameter]] = []
        self.kept: Tensor | None = None
        self.rows: list[Tensor] = []
        """The gradient of the word embeddings where it has few rows, and which rows of it are not zero."""
        for _ in range(count):
            replica, aliases = _replica(model, self.parameters)
            self.replicas.append(replica)
            self.aliases.append(aliases)

    def __enter__(self) -> Streams:
        self._open = ExitStack()
        for replica, generator in zip(self.replicas, self.generators, strict=True):
            self._open.enter_context(fast(replica.train(), self.copies, generator=generator, rows_alone=True))
        count, everywhere = len(self.replicas), torch.get_num_threads()
        threads = max(1, everywhere // count)
        # A thread keeps the number that it has set; the last one set is that of threads to come.
        self.pool = ThreadPoolExecutor(count, "stream", initializer=torch.set_num_threads, initargs=(threads,))
        self._open.callback(torch.set_num_threads, everywhere)
        self._open.callback(self.pool.shutdown)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def backward(self, batches: Sequence[Any], shares: Shares) -> list[Tensor]:
        """Compute micro-batches; their gradients are added to the model's. Returns the losses of each, in order.

        Dropout follows from torch's random state and the number of a micro-batch.
        """
        count = len(self.replicas)
        seeds = torch.randint(2**62, (len(batches),)).tolist()

        def compute(stream: int) -> list[Tensor]:
            found = []
            for number in range(stream, len(batches), count):
                self.generators[stream].manual_seed(seeds[number])
                with computing(self.precision, "cpu"):
                    losses = shares(self.replicas[stream], batches[number])
                losses.sum().backward()
                found.append(losses.detach())
            return found

        found = list(self.pool.map(compute, range(count)))
        self._add_up()
        return [found[number % count][number // count] for number in range(len(batches))]

    def _add_up(self) -> None:
        for number, parameter in enumerate(self.parameters):
            own = [aliases[number].grad for aliases in self.aliases]
            gradients = [gradient for gradient in (parameter.grad, *own) if gradient is not None]
            if gradients:
                dense = [gradient for gradient in gradients if not gradient.is_sparse]
                total = dense[0] if dense else self._empty(parameter)
                for other in dense[1:]:
                    total += other
                for gradient in gradients:
                    if gradient.is_sparse:
                        self._add_rows(total, gradient)
                parameter.grad = total
            for aliases in self.aliases:
                aliases[number].grad = None

    def _empty(self, parameter: nn.Parameter) -> Tensor:
        """A gradient of zeros, as large as a vocabulary: that of the last update with its few rows cleared."""
        if self.kept is None or self.kept.shape != parameter.shape:
            self.kept = torch.zeros_like(parameter)
        for rows in self.rows:
            self.kept.index_fill_(0, rows, 0.0)
        self.rows = []
        return self.kept

    def _add_rows(self, total: Tensor, gradient: Tensor) -> None:
        rows = gradient._indices()[0]
        total.index_add_(0, rows, gradient._values())
        if total is self.kept:
            self.rows.append(rows)


def _replica(model: nn.Module, parameters: Sequence[nn.Parameter]) -> tuple[nn.Module, list[nn.Parameter]]:
    """A copy of a model with gradients of its own over the same weights, and the parameters that take them."""
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=parameter.requires_grad)
    aliases = [memo[id(parameter)] for parameter in parameters]
    return copy.deepcopy(model, memo), aliases

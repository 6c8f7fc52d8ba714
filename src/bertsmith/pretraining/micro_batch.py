"""The size of a micro-batch: the largest that fits into memory, by a forecast or by a trial."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from bertsmith.errors import ResourceError
from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.fast_bert import fast
from bertsmith.models.loading import on_device
from bertsmith.runtime import processes
from bertsmith.runtime.computing import computing, is_out_of_memory
from bertsmith.runtime.console import format_bytes
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.training.micro_batch_threads import MicroBatchThreads
from bertsmith.training.micro_batches import Batch
from bertsmith.training.step_forecast import StepMemory, fitting_micro_batch
from bertsmith.training.training_plan import Computation, Losses

Forecast = Callable[[int], StepMemory]
"""Returns the memory that a micro-batch of this size needs."""
Trial = Callable[[int], float]
"""Computes a micro-batch of this size; returns the seconds."""


@dataclass(frozen=True)
class MicroBatch:
    """The number of examples that one process computes at once, with the forecast of their memory."""

    size: int
    memory: StepMemory
    choice: AutomaticChoice | None = None


def choose_micro_batch(
    batch_size: int, requested: int | None, forecast: Forecast, *, free: int, trial: Trial | None
) -> MicroBatch:
    """Choose the micro-batch of a run before its first step.

    Args:
        batch_size: examples per update, over all processes.
        requested: the size that the options give; None for all examples of this process at once.
        free: the bytes that this process may use.
        trial: if given, the size is halved until a trial fits (`--auto-micro-batch`).

    Raises ResourceError if more memory is forecast than is free; the message names a size that fits.
    """
    share = math.ceil(batch_size / processes.world_size())
    wanted = min(requested or share, share)
    fitting = fitting_micro_batch(free, wanted, forecast)
    if trial is not None:
        size = _halve_until_fitting(fitting or 1, trial)
        reason = f"forecast: {format_bytes(forecast(size).total)} of {format_bytes(free)} free; a trial step fitted"
        return MicroBatch(size, forecast(size), AutomaticChoice("micro-batch", str(size), reason))
    memory = forecast(wanted)
    if memory.total > free:
        if fitting is None:
            advice = (
                f"Even a single example needs {format_bytes(forecast(1).total)}. Try: a smaller --size, a shorter "
                "--sequence-length or --gradient-checkpointing"
            )
        else:
            advice = f"Try: --micro-batch-size {fitting}, which fits and gives the same result, or --auto-micro-batch"
        raise ResourceError(
            f"{wanted} examples at once need {format_bytes(memory.total)} of memory (forecast), and "
            f"{format_bytes(free)} are free. {advice}"
        )
    return MicroBatch(wanted, memory)


def _halve_until_fitting(size: int, trial: Trial) -> int:
    """Halve the size until a trial fits in every process."""
    while True:
        fits = 1.0
        try:
            trial(size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = 0.0
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # not inside `except`: the error keeps the tensors of the trial alive
        if -processes.all_reduce_max([-fits])[0] == 1.0:
            return size
        if size == 1:
            raise ResourceError(
                "a single example does not fit into memory. Try: a smaller --size, a shorter --sequence-length or "
                "--gradient-checkpointing"
            ) from None
        size = math.ceil(size / 2)


def share_of_memory(free: int) -> int:
    """Return the bytes that each process of this machine may use."""
    return free // processes.local_world_size()


class TrialStep:
    """Forward and backward passes that leave the model as it was, for trials and forecasts.

    Args:
        make_batch: returns the batch of these examples.
        reserve: bytes that are held during a trial in place of the optimizer, which does not exist yet.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        make_batch: Callable[[range], Batch],
        losses: Losses,
        *,
        computation: Computation,
        device: str,
        reserve: int,
    ) -> None:
        self.model, self.make_batch, self.loss_sums = model, make_batch, losses.sums
        self.computation, self.device, self.reserve = computation, device, reserve

    def __call__(self, size: int) -> float:
        """Compute `size` examples, divided among the threads; return the seconds."""
        devices = [torch.cuda.current_device()] if self.device == "cuda" else []
        on_device(self.model, self.device)
        was_training = self.model.training
        self.model.train()
        reserved: torch.Tensor | None = None
        try:
            reserved = torch.empty(self.reserve if devices else 0, dtype=torch.uint8, device=self.device)
            share = math.ceil(size / self.computation.micro_batch_threads)
            batches = [self._inputs(range(first, min(first + share, size))) for first in range(0, size, share)]
            weights = ComputeWeights.for_precision(self.computation.precision)
            with torch.random.fork_rng(devices):
                in_parallel = self.computation.micro_batch_threads > 1
                return self._in_parallel(batches, weights) if in_parallel else self._in_turn(batches, weights)
        finally:
            self.model.zero_grad(set_to_none=True)
            self.model.train(was_training)
            del reserved

    def _inputs(self, numbers: range) -> dict[str, torch.Tensor]:
        return self.make_batch(numbers).to(self.device).inputs

    def _in_parallel(self, batches: list[dict[str, torch.Tensor]], weights: ComputeWeights) -> float:
        count, precision = self.computation.micro_batch_threads, self.computation.precision
        with MicroBatchThreads(self.model, count, weights, precision=precision) as threads:
            started = time.monotonic()
            threads.backward(batches, self.loss_sums)
            return time.monotonic() - started

    def _in_turn(self, batches: list[dict[str, torch.Tensor]], weights: ComputeWeights) -> float:
        with fast(self.model, weights):
            started = time.monotonic()
            for inputs in batches:
                with computing(self.computation.precision, self.device):
                    loss = self.loss_sums(self.model, inputs).sum()
                loss.backward()
            if self.device == "cuda":
                torch.cuda.synchronize()
            return time.monotonic() - started

"""The size of a micro-batch: the largest that fits into the memory by the forecast, or by a trial."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from bertsmith.errors import ResourceError
from bertsmith.models.fast.parts import fast
from bertsmith.models.fast.working import WorkingCopies
from bertsmith.models.loading import on_device
from bertsmith.runtime import processes
from bertsmith.runtime.computing import computing, is_out_of_memory
from bertsmith.runtime.console import format_bytes
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.training.batches import Batch, model_inputs
from bertsmith.training.forecast import Memory, fitting_micro_batch
from bertsmith.training.plan import Computation, Losses
from bertsmith.training.streams import Streams

Forecast = Callable[[int], Memory]
Trial = Callable[[int], float]


@dataclass(frozen=True)
class MicroBatch:
    """The examples at once in one process, the memory that is forecast for them, and the reason for the size."""

    size: int
    memory: Memory
    choice: AutomaticChoice | None = None


def choose_micro_batch(
    batch_size: int, asked: int | None, forecast: Forecast, *, free: int, trial: Trial | None
) -> MicroBatch:
    """The micro-batch of a run, before its first step.

    Args:
        batch_size: examples an update, over all processes.
        asked: what was asked for, or None: then it is the whole share of a process.
        forecast: the memory that a micro-batch takes.
        free: the bytes that this process may take.
        trial: computes a micro-batch, given its size; with it the size is halved until one fits (`--auto-batch`).

    Raises ResourceError if the forecast is above the free memory, with the micro-batch that would fit.
    """
    share = math.ceil(batch_size / processes.world_size())
    wanted = min(asked or share, share)
    fitting = fitting_micro_batch(free, wanted, forecast)
    if trial is not None:
        size = _found(fitting or 1, trial)
        reason = f"{format_bytes(forecast(size).total)} of {format_bytes(free)} by the forecast, and a trial ran"
        return MicroBatch(size, forecast(size), AutomaticChoice("micro-batch", str(size), reason))
    memory = forecast(wanted)
    if memory.total > free:
        if fitting is None:
            advice = (
                f"even one example at once takes {format_bytes(forecast(1).total)}: take a smaller --size, a shorter "
                "--sequence-length or --gradient-checkpointing"
            )
        else:
            advice = f"--micro-batch-size {fitting} fits and gives the same result; --auto-batch finds one by itself"
        raise ResourceError(
            f"{wanted} examples at once take {format_bytes(memory.total)} of memory by the forecast, and "
            f"{format_bytes(free)} are free; {advice}"
        )
    return MicroBatch(wanted, memory)


def _found(size: int, trial: Trial) -> int:
    """The size, halved until a trial fits in every process."""
    while True:
        fits = 1.0
        try:
            trial(size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = 0.0
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # behind the block above: its error holds what the trial had
        if -processes.all_reduce_max([-fits])[0] == 1.0:
            return size
        if size == 1:
            raise ResourceError(
                "one example at once does not fit into the memory: take a smaller --size, a shorter "
                "--sequence-length or --gradient-checkpointing"
            ) from None
        size = math.ceil(size / 2)


def share_of_memory(free: int) -> int:
    """The bytes that each process of this machine may take."""
    return free // processes.local_world_size()


class Steps:
    """Forward and backward passes of a model that leave nothing behind: for trials and forecasts.

    Args:
        make: the batch of examples, by their numbers.
        reserve: bytes that are held meanwhile, for the optimizer, which does not exist yet.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        make: Callable[[range], Batch],
        losses: Losses,
        *,
        computation: Computation,
        device: str,
        reserve: int,
    ) -> None:
        self.model, self.make, self.loss_sums = model, make, losses.sums
        self.computation, self.device, self.reserve = computation, device, reserve

    def __call__(self, size: int) -> float:
        """Compute a micro-batch, divided over the streams; returns its seconds."""
        devices = [torch.cuda.current_device()] if self.device == "cuda" else []
        on_device(self.model, self.device)
        was_training = self.model.training
        self.model.train()
        held: torch.Tensor | None = None
        try:
            held = torch.empty(self.reserve if devices else 0, dtype=torch.uint8, device=self.device)
            part = math.ceil(size / self.computation.streams)
            batches = [self._batch(range(first, min(first + part, size))) for first in range(0, size, part)]
            copies = WorkingCopies.for_precision(self.computation.precision)
            with torch.random.fork_rng(devices):
                side_by_side = self.computation.streams > 1
                return self._in_streams(batches, copies) if side_by_side else self._in_turn(batches, copies)
        finally:
            self.model.zero_grad(set_to_none=True)
            self.model.train(was_training)
            del held

    def _batch(self, numbers: range) -> Batch:
        return {
            name: value.to(self.device) if isinstance(value, torch.Tensor) else value
            for name, value in model_inputs(self.make(numbers)).items()
        }

    def _in_streams(self, batches: list[Batch], copies: WorkingCopies) -> float:
        with Streams(self.model, self.computation.streams, copies, precision=self.computation.precision) as streams:
            started = time.monotonic()
            streams.backward(batches, self.loss_sums)
            return time.monotonic() - started

    def _in_turn(self, batches: list[Batch], copies: WorkingCopies) -> float:
        with fast(self.model, copies):
            started = time.monotonic()
            for batch in batches:
                with computing(self.computation.precision, self.device):
                    loss = self.loss_sums(self.model, batch).sum()
                loss.backward()
            if self.device == "cuda":
                torch.cuda.synchronize()
            return time.monotonic() - started

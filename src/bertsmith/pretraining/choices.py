"""The choices that the options of a run leave open: each a value with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.pretraining.micro_batch import share_of_memory
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.runtime import processes
from bertsmith.runtime.machine import (
    AutomaticChoice,
    as_started,
    choose_attention,
    choose_device,
    choose_precision,
    choose_streams,
    prepare_process,
)
from bertsmith.runtime.peak import free_memory
from bertsmith.training.budget import Budget
from bertsmith.training.plan import Computation

MASK_RATE = 0.25, "from scratch more predictions of an example teach more"
CONTINUED_MASK_RATE = 0.15, "that of BERT, for a model that continues"
"""The share of tokens that are predicted, and why."""

OVERFIT_STEPS = 200
"""Updates of a run over one batch, if the options do not say how many."""

DEFAULT_MINUTES = 10.0


@dataclass(frozen=True)
class Platform:
    """What a run computes with on this machine."""

    process: list[AutomaticChoice]
    device: AutomaticChoice
    precision: AutomaticChoice
    attention: AutomaticChoice
    streams: AutomaticChoice
    free: int
    """Bytes that one process may take, the same number for all."""

    def computation(self, options: PretrainOptions) -> Computation:
        """How an update is computed."""
        return Computation(
            self.precision.value,
            int(self.streams.value),
            sharded=options.fsdp,
            compiled=options.compile,
            workers=options.workers,
        )


def choose_platform(options: PretrainOptions, started: PretrainingRecord | None) -> Platform:
    """Device, precision, attention and streams; a run that resumes keeps what it `started` with."""
    process = prepare_process(save_memory=options.gradient_checkpointing)
    device = choose_device()
    # One number for all processes, as they compute micro-batches of one size.
    free = int(-processes.all_reduce_max([-share_of_memory(free_memory(device.value))])[0])
    precision = choose_precision(options.precision, device.value)
    attention = choose_attention(options.attention, device.value)
    streams = choose_streams(device.value, examples=options.batch_size, whole=_undivided(options))
    if started is not None:
        precision = as_started(precision, started.precision)
        streams = as_started(streams, started.streams)
    return Platform(process, device, precision, attention, streams, free)


def _undivided(options: PretrainOptions) -> str | None:
    """Why the step of a run cannot be divided into streams."""
    if options.gradient_checkpointing:
        return "layers that are computed twice take torch's own random state"
    if options.compile:
        return "torch.compile makes the step"
    return None


def choose_mask_rate(options: PretrainOptions) -> tuple[float, list[AutomaticChoice]]:
    """The share of tokens that are predicted."""
    if options.mask_rate is not None:
        return options.mask_rate, []
    rate, reason = MASK_RATE if options.from_ is None else CONTINUED_MASK_RATE
    return rate, [AutomaticChoice("mask rate", f"{rate:g}", reason)]


def choose_budget(options: PretrainOptions, examples: int) -> tuple[Budget, list[AutomaticChoice]]:
    """How long the run trains; `examples` are those of one pass."""
    if options.steps is not None:
        return Budget(steps=options.steps), []
    if options.epochs is not None:
        steps = max(1, math.ceil(options.epochs * examples / options.batch_size))
        return Budget(steps=steps), [
            AutomaticChoice("steps", str(steps), f"{options.epochs:g} passes over {examples:,} examples")
        ]
    if options.minutes is not None:
        return Budget(minutes=options.minutes), []
    reason = "none of --minutes, --steps and --epochs is given"
    if options.overfit_one_batch:
        return Budget(steps=OVERFIT_STEPS), [AutomaticChoice("steps", str(OVERFIT_STEPS), reason)]
    return Budget(minutes=DEFAULT_MINUTES), [AutomaticChoice("minutes", f"{DEFAULT_MINUTES:g}", reason)]

"""Automatic choices: values for what the options of a run leave open, each with its reason."""

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
    choose_micro_batch_threads,
    choose_precision,
    prepare_process,
)
from bertsmith.runtime.peak import free_memory
from bertsmith.training.budget import Budget
from bertsmith.training.training_plan import Computation

MASK_RATE = 0.25, "from scratch, more predictions per example teach more"
CONTINUED_MASK_RATE = 0.15, "BERT's own rate, for continued pre-training"
"""The share of tokens that are predicted, and the reason."""

OVERFIT_STEPS = 200
"""Updates of a run with `--overfit-one-batch` and no other length."""

DEFAULT_MINUTES = 10.0


@dataclass(frozen=True)
class Platform:
    """Device, precision and other settings of this machine that a run computes with."""

    process: list[AutomaticChoice]
    device: AutomaticChoice
    precision: AutomaticChoice
    attention: AutomaticChoice
    micro_batch_threads: AutomaticChoice
    """Named `streams` in run.json."""
    free: int
    """Bytes that each process may use."""

    def computation(self, options: PretrainOptions) -> Computation:
        """How an update is computed."""
        return Computation(
            self.precision.value,
            int(self.micro_batch_threads.value),
            sharded=options.fsdp,
            compiled=options.compile,
            workers=options.workers,
        )


def choose_platform(options: PretrainOptions, started: PretrainingRecord | None) -> Platform:
    """Choose device, precision, attention and threads; a resumed run keeps what it was `started` with."""
    process = prepare_process(save_memory=options.gradient_checkpointing)
    device = choose_device()
    # All processes compute micro-batches of the same size, so the one with the least memory decides.
    free = int(-processes.all_reduce_max([-share_of_memory(free_memory(device.value))])[0])
    precision = choose_precision(options.precision, device.value)
    attention = choose_attention(options.attention, device.value)
    threads = choose_micro_batch_threads(
        device.value, examples=options.batch_size, obstacle=_reason_against_threads(options)
    )
    if started is not None:
        precision = as_started(precision, started.precision)
        threads = as_started(threads, started.streams)
    return Platform(process, device, precision, attention, threads, free)


def _reason_against_threads(options: PretrainOptions) -> str | None:
    """Return why micro-batches cannot be computed in parallel threads, None if they can."""
    if options.gradient_checkpointing:
        return "--gradient-checkpointing draws dropout from the one random state of torch"
    if options.compile:
        return "--compile compiles the whole step"
    return None


def choose_mask_rate(options: PretrainOptions) -> tuple[float, list[AutomaticChoice]]:
    """Choose the share of tokens that are predicted."""
    if options.mask_rate is not None:
        return options.mask_rate, []
    rate, reason = MASK_RATE if options.from_ is None else CONTINUED_MASK_RATE
    return rate, [AutomaticChoice("mask rate", f"{rate:g}", reason)]


def choose_budget(options: PretrainOptions, examples: int) -> tuple[Budget, list[AutomaticChoice]]:
    """Choose how long the run trains; `examples` is the number of examples per pass over the text."""
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

"""The forecast of a run (`--dry-run`): parameters, memory, and the time, estimated from a few trial steps."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from bertsmith.models.bert import parameter_count
from bertsmith.pretraining.components import Components
from bertsmith.pretraining.micro_batch import share_of_memory
from bertsmith.runtime import processes
from bertsmith.runtime.peak import free_memory
from bertsmith.training.budget import Budget
from bertsmith.training.clipping import clip_gradients
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.update_sampler import Update, UpdateSampler

TRIALS = 3
"""Timed measurements, after one that warms up."""


def forecast_of(components: Components) -> dict[str, Any]:
    """Return the forecast as JSON values."""
    trial, size = components.trial(), components.micro_batch.size
    trial(size)
    measured = min(trial(size) for _ in range(TRIALS))
    optimizer_seconds = _optimizer_seconds(components) / (processes.world_size() if components.options.fsdp else 1)
    full = len(components.phases) - 1
    speed = components.flops(Update(full, 0, size)) / measured * processes.world_size()
    updates, work, seconds, examples, tokens = 0, 0.0, 0.0, 0, 0
    sampler = components.updates
    clock = Budget(components.budget.steps, components.budget.minutes)
    planned = UpdateSampler(clock, sampler.batch_size, ramp=sampler.ramp, short_share=sampler.short_share)
    while not clock.is_over(updates):
        update = planned.update(updates, [0, 0])
        work += components.flops(update)
        seconds = work / speed + (updates + 1) * optimizer_seconds
        examples += update.examples
        tokens += update.examples * components.phases[update.phase].plan.sequence_length
        updates += 1
        clock.tick(seconds)
    parameters = parameter_count(components.setup.model)
    return {
        "parameters": parameters,
        "memory_bytes": components.micro_batch.memory.total,
        "free_memory_bytes": share_of_memory(free_memory(components.platform.device.value)),
        "updates": updates,
        "seconds_per_update": round(seconds / updates, 4),
        "minutes": round(seconds / 60, 3),
        "tokens": tokens,
        "tokens_per_parameter": float(f"{tokens / parameters:.3g}"),  # small runs: 0.0031
        "passes": None if components.options.overfit_one_batch else round(examples / components.batches.plan.size, 2),
        "tokens_per_second": round(tokens / seconds, 1),
        "peak_share": round(work / seconds / components.peak, 3),
    }


def _optimizer_seconds(components: Components) -> float:
    """Measure the seconds of an update after its backward passes: gradient norm, clipping, optimizer step.

    The weights do not change, because the learning rate is 0.
    """
    options, model = components.options, components.setup.model
    optimizer = make_optimizer(model, replace(components.optimization, learning_rate=0.0))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    seconds = []
    for _ in range(1 + TRIALS):  # the first creates the state of the optimizer
        started = time.monotonic()
        clip_gradients(model, options.max_grad_norm)
        optimizer.step()
        if components.platform.device.value == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.monotonic() - started)
    model.zero_grad(set_to_none=True)
    return min(seconds[1:])

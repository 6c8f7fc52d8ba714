"""The forecast of a run (`--dry-run`): parameters, memory, and the time by a few trial steps on this machine."""

from __future__ import annotations

import time
from typing import Any

import torch

from bertsmith.models.bert import parameter_count
from bertsmith.pretraining.assembly import Assembly
from bertsmith.pretraining.micro_batch import share_of_memory
from bertsmith.runtime import processes
from bertsmith.runtime.peak import free_memory
from bertsmith.training.budget import Budget
from bertsmith.training.clipping import clip_gradients
from bertsmith.training.course import Course, Update
from bertsmith.training.optimizers import make_optimizer

TRIALS = 3
"""Measurements, the first one aside."""


def forecast_of(assembly: Assembly) -> dict[str, Any]:
    """What a run would take."""
    trial, size = assembly.trial(), assembly.micro_batch.size
    trial(size)
    measured = min(trial(size) for _ in range(TRIALS))
    closing = _seconds_of_closing(assembly) / (processes.world_size() if assembly.options.fsdp else 1)
    full = len(assembly.phases) - 1
    speed = assembly.flops(Update(full, 0, size)) / measured * processes.world_size()
    updates, work, seconds, examples, tokens = 0, 0.0, 0.0, 0, 0
    course = assembly.course
    clock = Budget(assembly.budget.steps, assembly.budget.minutes)
    planned = Course(clock, course.batch_size, ramp=course.ramp, short_share=course.short_share)
    while not clock.is_over(updates):
        update = planned.update(updates, [0, 0])
        work += assembly.flops(update)
        seconds = work / speed + (updates + 1) * closing
        examples += update.examples
        tokens += update.examples * assembly.phases[update.phase].plan.sequence_length
        updates += 1
        clock.tick(seconds)
    parameters = parameter_count(assembly.setup.model)
    return {
        "parameters": parameters,
        "memory_bytes": assembly.micro_batch.memory.total,
        "free_memory_bytes": share_of_memory(free_memory(assembly.device)),
        "updates": updates,
        "seconds_per_update": round(seconds / updates, 4),
        "minutes": round(seconds / 60, 3),
        "tokens": tokens,
        "tokens_per_parameter": float(f"{tokens / parameters:.3g}"),  # small runs: 0.0031
        "passes": None if assembly.options.overfit_one_batch else round(examples / assembly.batches.plan.size, 2),
        "tokens_per_second": round(tokens / seconds, 1),
        "peak_share": round(work / seconds / assembly.peak, 3),
    }


def _seconds_of_closing(assembly: Assembly) -> float:
    """What an update takes behind its backward passes: the norm of the gradients, clipping, the optimizer.

    The weights are as before: the learning rate is zero.
    """
    options, model = assembly.options, assembly.setup.model
    optimizer = make_optimizer(model, options.optimizer, learning_rate=0.0, weight_decay=options.weight_decay)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    seconds = []
    for _ in range(1 + TRIALS):  # the first one makes the optimizer's state
        started = time.monotonic()
        clip_gradients(model, options.max_grad_norm)
        optimizer.step()
        if assembly.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.monotonic() - started)
    model.zero_grad(set_to_none=True)
    return min(seconds[1:])

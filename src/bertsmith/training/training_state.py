"""The state of the training in a checkpoint, next to the model: optimizer, schedule, random state, progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from bertsmith.records.base import Part
from bertsmith.runtime.files import read_json, write_json
from bertsmith.training import random_states, sharding

PROGRESS, OPTIMIZER, SCHEDULE = "progress.json", "optimizer.pt", "scheduler.pt"


class TrainingProgress(Part):
    """progress.json: how far the training is."""

    step: int
    tokens_seen: int
    seconds: float
    taken: list[int]
    """Examples taken from each phase (`training.update_sampler`)."""


def read_progress(checkpoint: Path) -> TrainingProgress:
    """Return how far the training of a checkpoint was."""
    return TrainingProgress.model_validate(read_json(checkpoint / PROGRESS))


def optimizer_state(model: nn.Module, optimizer: Any) -> Any:
    """Return the state of the optimizer; for a sharded model the whole state, in the first process only."""
    return sharding.gather_optimizer_state(model, optimizer) if sharding.is_sharded(model) else optimizer.state_dict()


def write_state(folder: Path, *, optimizer: Any, scheduler: Any, random_state: Any, progress: TrainingProgress) -> None:
    """Write the states of optimizer, schedule and random numbers, and the progress."""
    torch.save(optimizer, folder / OPTIMIZER)
    torch.save(scheduler, folder / SCHEDULE)
    torch.save(random_state, folder / random_states.FILE)
    write_json(folder / PROGRESS, progress.to_dict())


def restore_optimizer(checkpoint: Path, model: nn.Module, optimizer: Any) -> None:
    """Load the state of the optimizer from a checkpoint."""
    state = torch.load(checkpoint / OPTIMIZER, map_location="cpu", weights_only=True)
    if sharding.is_sharded(model):
        sharding.load_optimizer_state(model, optimizer, state)
    else:
        optimizer.load_state_dict(state)


def restore_schedule(checkpoint: Path, scheduler: Any, *, share: float) -> None:
    """Load the state of the learning-rate schedule, and set the learning rates of the next update.

    Args:
        share: the share of the highest learning rate. It can differ from the checkpoint's: a resumed run may have a
            longer budget.
    """
    scheduler.load_state_dict(torch.load(checkpoint / SCHEDULE, weights_only=True))
    groups = scheduler.optimizer.param_groups
    for group in groups:
        group["lr"] = group["initial_lr"] * share
    scheduler._last_lr = [group["lr"] for group in groups]

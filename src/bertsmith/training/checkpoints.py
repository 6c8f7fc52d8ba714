"""The state of a training in a checkpoint: everything in addition to the model, written and restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from bertsmith.records.base import Part
from bertsmith.runtime.files import read_json, write_json
from bertsmith.training import random_states, sharding

PROGRESS, OPTIMIZER, SCHEDULE = "progress.json", "optimizer.pt", "scheduler.pt"


class Reached(Part):
    """progress.json: how far the training was."""

    step: int
    tokens_seen: int
    seconds: float
    taken: list[int]
    """Examples of each phase (`training.course`)."""


def reached_in(checkpoint: Path) -> Reached:
    """How far the training of a checkpoint was."""
    return Reached.model_validate(read_json(checkpoint / PROGRESS))


def optimizer_state(model: nn.Module, optimizer: Any, *, sharded: bool) -> Any:
    """The state of the optimizer; of a sharded one the whole, in the first process."""
    return sharding.optimizer_state(model, optimizer) if sharded else optimizer.state_dict()


def write_state(folder: Path, *, optimizer: Any, schedule: Any, states: Any, reached: Reached) -> None:
    """Write the states of optimizer, schedule and random numbers, and how far the training is."""
    torch.save(optimizer, folder / OPTIMIZER)
    torch.save(schedule, folder / SCHEDULE)
    torch.save(states, folder / random_states.FILE)
    write_json(folder / PROGRESS, reached.to_dict())


def restore_optimizer(checkpoint: Path, model: nn.Module, optimizer: Any, *, sharded: bool) -> None:
    """Take the state of the optimizer."""
    state = torch.load(checkpoint / OPTIMIZER, map_location="cpu", weights_only=True)
    if sharded:
        sharding.load_optimizer_state(model, optimizer, state)
    else:
        optimizer.load_state_dict(state)


def restore_schedule(checkpoint: Path, schedule: Any) -> None:
    """Take the state of the schedule."""
    schedule.load_state_dict(torch.load(checkpoint / SCHEDULE, weights_only=True))

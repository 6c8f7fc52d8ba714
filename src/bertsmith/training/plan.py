"""The plan of a run: what the Trainer needs in addition to model and data, in parts that are handed on whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from bertsmith.training.batches import Batch
from bertsmith.training.budget import Budget
from bertsmith.training.course import Course, Update
from bertsmith.training.schedules import factor

Measure = Callable[[nn.Module], dict[str, Any]]
"""Gives the figures of a model, as they are written to metrics.jsonl."""


@dataclass(frozen=True)
class Losses:
    """The losses of a batch."""

    names: tuple[str, ...]
    sums: Callable[[nn.Module, Batch], Tensor]
    """Gives float32 of [losses] for a batch, each loss summed, not averaged."""


@dataclass(frozen=True)
class Optimization:
    """How the weights are updated."""

    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str = "linear"
    warmup: float = 0.0
    max_grad_norm: float = 1.0
    rate_of: Callable[[str], float] | None = None
    """The share of the learning rate that a parameter takes, by its name; all take the whole without it."""

    def share(self, position: float) -> float:
        """The share of the learning rate at a position of the schedule, from 0 to 1."""
        return factor(self.schedule, position, self.warmup)


@dataclass(frozen=True)
class Computation:
    """How an update is computed; its result depends on `precision` only."""

    precision: str
    streams: int = 1
    """How many micro-batches are computed side by side (`training.streams`)."""
    sharded: bool = False
    """Whether weights, gradients and optimizer are divided over the processes (FSDP)."""
    compiled: bool = False
    """Whether torch.compile makes the step, from the stock parts, in the place of the fast operations."""
    workers: int = 0
    """Processes that assemble batches."""


@dataclass(frozen=True)
class Evaluations:
    """What is measured during the run, when, and what follows from it."""

    measure: Measure | None = None
    """The figures of a model on the held-out part."""
    general: Measure | None = None
    """The figures on a second text, written next to those of `measure` and judged by nobody."""
    every: int | None = None
    """Updates between evaluations; None for a tenth of the run."""
    at_end: bool = False
    """Whether the last update is followed by an evaluation, as those that are due are."""
    judge: str | None = None
    """The figure of an evaluation that should fall; the checkpoint with the lowest one is kept. It is saved at once
    with `patience`, otherwise if the last checkpoint is a minute old."""
    patience: int | None = None
    """Evaluations without a lower figure after which the run ends, with the weights of the lowest."""


@dataclass(frozen=True)
class Saving:
    """When checkpoints are written, and what they hold."""

    every: int | None = None
    """Updates between checkpoints; None for a tenth of the run, at most one a minute."""
    at_end: bool = True
    """Whether the last update is followed by a checkpoint; a run that is stopped always leaves one."""
    add_to: Callable[[Path], None] | None = None
    """Writes what a checkpoint holds in addition to the state of the training, into its folder."""


@dataclass(frozen=True)
class Work:
    """What the speed of a run is compared with."""

    flops: Callable[[Update], float]
    """Floating point operations of an update."""
    peak: float
    """Floating point operations a second of a matrix product, over all processes."""


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a run of the Trainer needs in addition to model and data."""

    course: Course
    losses: Losses
    optimization: Optimization
    computation: Computation
    evaluations: Evaluations
    saving: Saving
    seed: int
    work: Work | None = None
    tensorboard: bool = False
    title: str = "training"

    @property
    def budget(self) -> Budget:
        """How long the run trains."""
        return self.course.budget

"""The plan of a run: everything the Trainer needs besides model and data, in groups that are passed on whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from bertsmith.training.budget import Budget
from bertsmith.training.schedules import factor
from bertsmith.training.update_sampler import Update, UpdateSampler

Measure = Callable[[nn.Module], dict[str, Any]]
"""Returns the figures of a model, as they are written to metrics.jsonl."""


@dataclass(frozen=True)
class Losses:
    """The losses of a batch."""

    names: tuple[str, ...]
    sums: Callable[[nn.Module, dict[str, Tensor]], Tensor]
    """Returns float32 of [losses] for a model and `Batch.inputs`: each loss summed, not averaged."""


@dataclass(frozen=True)
class Optimization:
    """How the weights are updated."""

    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str = "linear"
    warmup: float = 0.0
    max_grad_norm: float = 1.0
    rate_share: Callable[[str], float] | None = None
    """The share of the learning rate that a parameter gets, by its name; None if all get the full rate."""

    def share(self, position: float) -> float:
        """Return the share of the highest learning rate at a position of the schedule, from 0 to 1."""
        return factor(self.schedule, position, self.warmup)


@dataclass(frozen=True)
class Computation:
    """How an update is computed. Only `precision` changes its result, apart from rounding and the draws of dropout."""

    precision: str
    micro_batch_threads: int = 1
    """Micro-batches computed at once on the CPU (`training.micro_batch_threads`)."""
    sharded: bool = False
    """Whether weights, gradients and optimizer are divided over the processes (FSDP)."""
    compiled: bool = False
    """Whether torch.compile compiles the stock model, instead of the fast operations."""
    workers: int = 0
    """Processes that load batches."""


@dataclass(frozen=True)
class Evaluations:
    """Evaluations during the run: their data, their interval, and how they affect the run."""

    measure: Measure | None = None
    """The figures of a model on the held-out part."""
    general: Measure | None = None
    """The figures on a general text, logged only."""
    every: int | None = None
    """Updates between evaluations; None for a tenth of the run."""
    at_end: bool = False
    """Whether the model is evaluated after the last update."""
    best_by: str | None = None
    """The figure that should fall. The checkpoint with the lowest one is kept; it is written at once with `patience`,
    otherwise if the last checkpoint is a minute old."""
    patience: int | None = None
    """The run ends after this many evaluations without a lower figure, with the weights of the lowest one."""


@dataclass(frozen=True)
class Saving:
    """When checkpoints are written, and their additional contents."""

    every: int | None = None
    """Updates between checkpoints; None for a tenth of the run, at most one per minute."""
    at_end: bool = True
    """Whether the last update is followed by a checkpoint. An interrupted run always writes one."""
    add_to: Callable[[Path], None] | None = None
    """Writes further files into the folder of a checkpoint."""


@dataclass(frozen=True)
class Work:
    """The amount of work that the speed of a run is compared with."""

    flops: Callable[[Update], float]
    """Floating point operations of an update."""
    peak: float
    """Floating point operations per second of a matrix product, over all processes."""


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a run needs besides model and data."""

    updates: UpdateSampler
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
        return self.updates.budget

    def learning_rate_share(self, step: int) -> float:
        """Return the share of the highest learning rate that the update after `step` updates gets."""
        return self.optimization.share(self.budget.schedule_position(step))

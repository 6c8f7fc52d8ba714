"""The plan of a run: what the Trainer needs beside model and data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from bertsmith.training.batches import Batch
from bertsmith.training.budget import Budget
from bertsmith.training.course import Course, Update


@dataclass
class TrainingPlan:
    """Everything that a run of the Trainer needs beside model and data."""

    budget: Budget
    course: Course
    loss_names: tuple[str, ...]
    loss_sums: Callable[[nn.Module, Batch], Tensor]
    """Gives float32 of [losses] for a batch, each loss summed, not averaged."""
    evaluate: Callable[[nn.Module], dict[str, Any]] | None
    """The figures of a model on the held-out part."""
    optimizer: str
    schedule: str
    learning_rate: float
    warmup: float
    weight_decay: float
    max_grad_norm: float
    precision: str
    seed: int
    workers: int = 0
    save_every: int | None = None
    eval_every: int | None = None
    keep_beside: Callable[[Path], None] | None = None
    """Writes what a checkpoint shall hold beside the state of the training, into its folder."""
    evaluate_at_end: bool = False
    """Whether the last update is followed by an evaluation, as those that are due are."""
    checkpoint_at_end: bool = True
    """Whether the last update is followed by a checkpoint; a run that is stopped always leaves one."""
    judge: str | None = None
    """The figure of an evaluation that should fall; the checkpoint with the lowest one is kept. It is saved at once
    with `patience`, otherwise where the last checkpoint is a minute old."""
    patience: int | None = None
    """The run ends after so many evaluations without a lower figure, with the weights of the lowest."""
    sharded: bool = False
    """Whether weights, gradients and optimizer are divided over the processes (FSDP)."""
    rate_of: Callable[[str], float] | None = None
    """The share of the learning rate that a parameter takes, by its name; all take the whole without it."""
    streams: int = 1
    """How many micro-batches are computed side by side (`training.streams`)."""
    compiled: bool = False
    """Whether torch.compile makes the step, from the stock parts, in the place of the fast operations."""
    tensorboard: bool = False
    flops: Callable[[Update], float] | None = None
    """Floating point operations of an update."""
    peak: float | None = None
    """Floating point operations a second of a matrix product, over all processes."""
    evaluate_general: Callable[[nn.Module], dict[str, Any]] | None = None
    """The figures on another text, told beside those of `evaluate` and judged by nobody."""
    title: str = "training"

"""The losses of a task's head, as sums over a batch and their counts. The only part of a task that needs torch.

With class weights, each loss counts with the weight of its class (`class_weights.py`). A student learns a teacher's
distribution, softened by a temperature (Hinton et al. 2015, section 2).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.registry import TASKS


@dataclass(frozen=True)
class TaskLosses(ABC):
    """The losses of a task.

    Attributes:
        task: the task with the labels of the model.
        class_weights: a weight per label, in the order of the labels; None for equal weights.
    """

    task: AnyTask
    class_weights: tuple[float, ...] | None = None

    @property
    def unweighted(self) -> Self:
        """A copy without class weights."""
        return replace(self, class_weights=None)

    @abstractmethod
    def loss_count(self, targets: Tensor) -> float:
        """Return the number of losses of these rows; with class weights the sum of their weights."""

    @abstractmethod
    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """Return the sum of the losses of a batch, a float32 scalar. `targets` are as `row_targets` returns them."""

    @abstractmethod
    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the sum of the losses with a teacher's logits (`soft_targets`), a float32 scalar.

        Of `targets` only the positions are used, not the labels.
        """


def task_losses(name: str, task: AnyTask, class_weights: tuple[float, ...] | None = None) -> TaskLosses:
    """Return the losses of the task with this name."""
    found: TaskLosses = TASKS[name].module("head").LOSSES(task, class_weights)
    return found


def weighted_loss_sum(logits: Tensor, targets: Tensor, weights: Sequence[float]) -> Tensor:
    """Return the sum of cross-entropies in nats, each times its class weight, a float32 scalar.

    logits: [losses, classes]; targets: int64 of [losses], -100 for no loss.
    """
    weight = torch.tensor(weights, dtype=torch.float32, device=logits.device)
    return functional.cross_entropy(logits.float(), targets, weight=weight, reduction="sum")


def weighted_sum(losses: Tensor, targets: Tensor, weights: Sequence[float] | None) -> Tensor:
    """Return the sum of the losses, each times its class weight, a float32 scalar; `losses`, `targets`: [losses]."""
    if weights is None:
        return losses.sum()
    weight = torch.tensor(weights, dtype=torch.float32, device=losses.device)
    return (losses * weight[targets]).sum()


def sum_of_weights(targets: Tensor, weights: Sequence[float] | None) -> float:
    """Return the sum of class weights of targets (their number if `weights` is None).

    targets: int64 of any shape, without -100.
    """
    return targets.numel() if weights is None else float(torch.tensor(weights, dtype=torch.float64)[targets].sum())


def soft_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats: float32 of [...] for logits [..., options].

    The gradient equals that of the cross-entropy with the softened distribution. The factor T^2 keeps its size the same
    at any temperature. The loss is 0 if both distributions are equal.
    """
    target, predicted = ((logits.float() / temperature).log_softmax(-1) for logits in (teacher, student))
    return (target.exp() * (target - predicted)).sum(-1) * temperature**2


def binary_logits(logits: Tensor) -> Tensor:
    """Return logits of [..., 2] whose softmax equals the logistic function of logits of [...]."""
    return torch.stack([logits, torch.zeros_like(logits)], -1)

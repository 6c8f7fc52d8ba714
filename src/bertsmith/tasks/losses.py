"""The losses of a task's head, the one part of a task that needs torch: sums over a batch, and their counts.

With class weights each loss counts the weight of its class (`class_weights.py`). From a teacher a student learns its
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
        task: with the labels of the model.
        class_weights: the weight of a loss of each label, in their order; None if each counts 1.
    """

    task: AnyTask
    class_weights: tuple[float, ...] | None = None

    @property
    def unweighted(self) -> Self:
        """The same without class weights."""
        return replace(self, class_weights=None)

    @abstractmethod
    def loss_count(self, targets: Tensor) -> float:
        """The number of losses that are summed for these rows; with class weights the sum of their weights."""

    @abstractmethod
    def loss_sum(self, output: Any, targets: Tensor) -> Tensor:
        """float32 scalar: the losses of a batch, added up; `output` is the model's, `targets` as `row_targets`."""

    @abstractmethod
    def soft_loss_sum(self, output: Any, soft: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """float32 scalar: as `loss_sum`, of a teacher's logits (`soft_targets`); of labels only the places count."""


def losses_of(name: str, task: AnyTask, class_weights: tuple[float, ...] | None = None) -> TaskLosses:
    """The losses of the task of a name."""
    found: TaskLosses = TASKS[name].module("head").LOSSES(task, class_weights)
    return found


def weighted_loss_sum(logits: Tensor, targets: Tensor, weights: Sequence[float]) -> Tensor:
    """float32 scalar: the cross-entropies in nats, each times the weight of its class, added up.

    logits: [losses, classes]; targets: int64 of [losses], -100 without a loss.
    """
    weight = torch.tensor(weights, dtype=torch.float32, device=logits.device)
    return functional.cross_entropy(logits.float(), targets, weight=weight, reduction="sum")


def weighted_sum(losses: Tensor, targets: Tensor, weights: Sequence[float] | None) -> Tensor:
    """float32 scalar: losses of any kind, each times the weight of its class, added up; both of [losses]."""
    if weights is None:
        return losses.sum()
    weight = torch.tensor(weights, dtype=torch.float32, device=losses.device)
    return (losses * weight[targets]).sum()


def sum_of_weights(targets: Tensor, weights: Sequence[float] | None) -> float:
    """The number by which the sum of these losses is divided for their mean; int64 of any shape, without -100."""
    return targets.numel() if weights is None else float(torch.tensor(weights, dtype=torch.float64)[targets].sum())


def soft_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """float32 of [...]: T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, for logits of [..., options].

    Its gradient is that of the cross-entropy to the softened distribution; by T^2 it is as large at any temperature. It
    is 0 if both say the same.
    """
    wanted, found = ((logits.float() / temperature).log_softmax(-1) for logits in (teacher, student))
    return (wanted.exp() * (wanted - found)).sum(-1) * temperature**2


def binary_logits(logits: Tensor) -> Tensor:
    """Logits of yes or no, of [...], as those of two options, of [..., 2]: the softmax is the logistic function."""
    return torch.stack([logits, torch.zeros_like(logits)], -1)

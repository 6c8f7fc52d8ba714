"""The losses of a batch: of its labels, and of what a teacher says of it.

Of an example with a label it is `1 - weight` times the loss of the label and `weight` times that of the teacher's
logits; of one without a label the latter alone, in full (Hinton et al. 2015, section 1: the transfer set may
be unlabelled). Class weights are of labels: an example without one counts 1, which is the mean of those with one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.runtime.machine import Choice
from bertsmith.tasks.base import AnyHead

ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL = "rows_with_label", "rows_without_label"
"""In a batch of both kinds: int64 of [examples], the places of the rows of each kind."""
TARGETS = ("gold", "soft", ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL)
"""What of a batch the losses are of; the rest is for the model."""

Batch = Mapping[str, Any]


@dataclass(frozen=True)
class Distillation:
    """The loss is `1 - weight` times that of the labels and `weight` times that of the teacher's logits."""

    weight: float
    temperature: float

    def choice(self, teacher: str, unlabelled: int) -> Choice:
        """For the record; `unlabelled` examples have no label."""
        why = f"{self.weight:g} of the loss, at a temperature of {self.temperature:g}"
        whole = f"; the whole loss of {unlabelled:,} examples without labels" if unlabelled else ""
        return Choice("teacher", teacher, f"{why}{whole}")


def divided(labelled: Iterable[bool]) -> dict[str, Tensor]:
    """The places of the rows of each kind, for a batch."""
    known = torch.tensor(list(labelled))
    return {ROWS_WITH_LABEL: known.nonzero().flatten(), ROWS_WITHOUT_LABEL: (~known).nonzero().flatten()}


def loss_count(head: AnyHead, batch: Batch) -> float:
    """How many losses `loss_sums` adds up for a batch; with class weights the sum of their weights."""
    gold = batch["gold"]
    if ROWS_WITHOUT_LABEL not in batch:
        return float(head.loss_count(gold))
    known, unknown = (gold[batch[kind]] for kind in (ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL))
    return float(head.loss_count(known) + _unweighted(head).loss_count(unknown))


def loss_sums(head: AnyHead, distillation: Distillation | None) -> Callable[[nn.Module, dict[str, Any]], Tensor]:
    """What gives the losses of a batch, added up: float32 of [1]."""
    unweighted = _unweighted(head)

    def compute(model: nn.Module, batch: dict[str, Any]) -> Tensor:
        output = model(**{name: value for name, value in batch.items() if name not in TARGETS})
        if ROWS_WITHOUT_LABEL not in batch:
            return _of_labelled(head, output, batch, distillation)[None]
        assert distillation is not None
        known, unknown = (_rows(output, batch, batch[kind]) for kind in (ROWS_WITH_LABEL, ROWS_WITHOUT_LABEL))
        taught = unweighted.soft_loss_sum(unknown[0], unknown[1]["soft"], unknown[1]["gold"], distillation.temperature)
        return (_of_labelled(head, *known, distillation) + taught)[None]

    return compute


def _of_labelled(head: AnyHead, output: Any, batch: Batch, distillation: Distillation | None) -> Tensor:
    loss = head.loss_sum(output, batch["gold"])
    if distillation is None:
        return loss
    soft = head.soft_loss_sum(output, batch["soft"], batch["gold"], distillation.temperature)
    return (1 - distillation.weight) * loss + distillation.weight * soft


def _rows(output: Any, batch: Batch, rows: Tensor) -> tuple[Any, Batch]:
    """The model's output for some rows of a batch, and what its losses are of."""
    chosen = {name: value[rows] for name, value in output.items() if isinstance(value, Tensor)}
    return SimpleNamespace(**chosen), {name: batch[name][rows] for name in ("gold", "soft")}


def _unweighted(head: AnyHead) -> AnyHead:
    plain = copy.copy(head)
    plain.class_weights = None
    return plain

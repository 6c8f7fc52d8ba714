"""Losses that count by their class, so that rare classes are not passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional


def balanced(counts: Mapping[str, int]) -> tuple[float, ...]:
    """A weight for each label by its inverse frequency: n / (labels * count), so all labels weigh the same together.

    The mean over the counted is 1 (King and Zeng 2001; `class_weight="balanced"` of scikit-learn). A label that does
    not occur has 1, and is not among the labels that are counted.
    """
    occurring = [count for count in counts.values() if count]
    total = sum(occurring)
    return tuple(total / (len(occurring) * count) if count else 1.0 for count in counts.values())


def weighted_loss_sum(logits: Tensor, gold: Tensor, weights: Sequence[float]) -> Tensor:
    """float32 scalar: the cross-entropies in nats, each times the weight of its class, added up.

    logits: [losses, classes]; gold: int64 of [losses], -100 where there is no loss.
    """
    weight = torch.tensor(weights, dtype=torch.float32, device=logits.device)
    return functional.cross_entropy(logits.float(), gold, weight=weight, reduction="sum")


def weighted_sum(losses: Tensor, gold: Tensor, weights: Sequence[float]) -> Tensor:
    """float32 scalar: losses of any kind, each times the weight of its class, added up; both of [losses]."""
    weight = torch.tensor(weights, dtype=torch.float32, device=losses.device)
    return (losses * weight[gold]).sum()


def sum_of_weights(gold: Tensor, weights: Sequence[float]) -> float:
    """What the sum of these losses is divided by for their mean; int64 of any shape, without -100."""
    return float(torch.tensor(weights, dtype=torch.float64)[gold].sum())

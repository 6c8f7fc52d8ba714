"""The losses of one update: sums over its micro-batches, divided by the counts of the whole update.

Dividing by global counts makes an update independent of how its batch is split. Averaging per micro-batch does not:
micro-batches hold different numbers of masked tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bertsmith.runtime import processes
from bertsmith.training.micro_batches import Batch
from bertsmith.training.training_plan import Losses


def global_loss_counts(batches: Sequence[Batch]) -> Tensor:
    """Return float32 of [losses]: the counts summed over all micro-batches of all processes."""
    counts = torch.stack([batch.loss_counts for batch in batches]).sum(0)
    return torch.tensor(processes.all_reduce_sum(counts.tolist()), dtype=counts.dtype)


def loss_shares(model: nn.Module, batch: Batch, *, losses: Losses, counts: Tensor) -> Tensor:
    """Return float32 of [losses]: what a micro-batch contributes to each loss of the update.

    Args:
        counts: `global_loss_counts`; they can be below 1, because they may be sums of weights. 0 counts as 1.
    """
    return batch.weight * losses.sums(model, batch.inputs) / counts.where(counts > 0, 1)


def global_totals(
    names: Sequence[str], shares: Sequence[Tensor], batches: Sequence[Batch]
) -> tuple[dict[str, float], int]:
    """Return the losses of the update by name and its number of tokens, over all processes."""
    tokens = sum(batch.num_tokens for batch in batches)
    *totals, tokens_everywhere = processes.all_reduce_sum([*torch.stack(list(shares)).sum(0).tolist(), tokens])
    return dict(zip(names, totals, strict=True)), int(tokens_everywhere)

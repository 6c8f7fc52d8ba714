"""The pre-training loop over a STORE: examples by number, losses by objective, through the thin Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.corpus.store import TRAIN, TokenStore
from bertsmith.objectives.collator import PretrainingCollator
from bertsmith.objectives.examples import EpochPlan
from bertsmith.objectives.masks import Vocabulary

LOSSES = {
    "mlm+nsp": ("mlm_loss", "nsp_loss"),
    "mlm": ("mlm_loss",),
    "nsp": ("nsp_loss",),
    "mlm+sop": ("mlm_loss", "nsp_loss"),
}
"""The losses of each objective; sentence order prediction trains the NSP head."""


class PretrainingBatches:
    """Makes the batch of given examples of the whole training: example n is number n mod N of epoch n div N."""

    def __init__(
        self,
        store: TokenStore,
        vocabulary: Vocabulary,
        *,
        objective: str,
        sequence_length: int,
        mask_rate: float,
        mask_split: tuple[float, float, float],
        seed: int,
    ) -> None:
        self.plan = EpochPlan(store.part(TRAIN), objective, sequence_length, seed=seed)
        self.vocabulary = vocabulary
        self.collator = PretrainingCollator(
            vocabulary,
            sequence_length=sequence_length,
            mask_rate=mask_rate,
            mask_split=mask_split,
            objective=objective,
            seed=seed,
        )
        self.names = LOSSES[objective]

    def __call__(self, numbers: Sequence[int]) -> dict[str, Any]:
        """The micro-batch, with what its losses are divided by and how many tokens it holds."""
        size = self.plan.size
        examples = [self.plan.example(number // size, number % size, self.vocabulary) for number in numbers]
        if not examples:
            raise IndexError("an update has fewer examples than processes; raise --batch-size")
        batch: dict[str, Any] = self.collator.masked_batch(examples)
        counts = {"mlm_loss": len(batch.get("masked_labels", ())), "nsp_loss": len(examples)}
        batch["loss_counts"] = torch.tensor([float(counts[name]) for name in self.names])
        batch["num_tokens"] = sum(len(example.input_ids) for example in examples)
        return batch


def loss_sums(names: Sequence[str]) -> Callable[[nn.Module, dict[str, Any]], Tensor]:
    """The function that gives a batch's summed losses, in the order of the names."""

    def compute(model: nn.Module, batch: dict[str, Any]) -> Tensor:
        output = model(**batch)
        sums = {"mlm_loss": output.mlm_loss_sum, "nsp_loss": output.nsp_loss_sum}
        return torch.stack([sums[name] for name in names])

    return compute

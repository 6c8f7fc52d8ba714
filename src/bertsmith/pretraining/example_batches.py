"""The batches of a pre-training: examples of a STORE by their numbers, with the counts of their losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.corpus.store import TokenPart
from bertsmith.objectives.collator import IGNORED, PretrainingCollator
from bertsmith.objectives.examples import EpochPlan
from bertsmith.objectives.masks import Vocabulary
from bertsmith.pretraining.objective_losses import LOSSES, TEACHER_LOSS
from bertsmith.training.batches import Batch


class PretrainingBatches:
    """Makes the batch of given examples of the whole training: example n is number n mod N of epoch n div N.

    Length and mask rate are arguments: the phases of a run have different lengths, and the rate may be chosen.
    """

    def __init__(
        self,
        part: TokenPart,
        vocabulary: Vocabulary,
        options: PretrainOptions,
        *,
        sequence_length: int,
        mask_rate: float,
    ) -> None:
        seed, objective = options.seed, options.objective
        self.plan = EpochPlan(part, objective, sequence_length, negatives=options.negatives, seed=seed)
        self.vocabulary = vocabulary
        self.collator = PretrainingCollator(
            vocabulary,
            sequence_length=sequence_length,
            mask_rate=mask_rate,
            mask_split=options.mask_split,
            mask_unit=options.mask_unit,
            objective=objective,
            seed=seed,
        )
        self.names = LOSSES[objective] + (() if options.teacher is None else (TEACHER_LOSS,))

    @property
    def predictions(self) -> int:
        """Masked positions an example that the MLM head runs on."""
        return self.collator.rule.max_predictions(self.plan.sequence_length) if "mlm_loss" in self.names else 0

    def __call__(self, numbers: Sequence[int]) -> Batch:
        """The micro-batch, with what its losses are divided by and how many tokens it holds."""
        examples = self.plan.padded(np.asarray(numbers), self.vocabulary)
        batch: Batch = self.collator.masked_batch(examples)
        masked = int((batch["masked_labels"] != IGNORED).sum()) if "masked_labels" in batch else 0
        counts = {"mlm_loss": masked, "nsp_loss": len(examples), TEACHER_LOSS: masked}
        batch["loss_counts"] = torch.tensor([float(counts[name]) for name in self.names])
        batch["num_tokens"] = int(examples.lengths.sum())
        return batch

    def describe(self, number: int) -> str:
        """An example for people: its epoch and index, and the documents that it is of."""
        epoch, index = divmod(number, self.plan.size)
        documents = " and ".join(self.plan.documents(epoch, index))
        return f"epoch {epoch} index {index} of {documents}"

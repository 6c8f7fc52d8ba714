"""The batches of pre-training: masked examples of a STORE, with the counts of their losses."""

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
from bertsmith.training.micro_batches import Batch


class PretrainingBatches:
    """Makes batches of examples of the whole training: example n is number n mod N of epoch n div N.

    Length and mask rate are arguments, because the phases of a run differ in length and the rate may be an automatic
    choice.

    Attributes:
        names: the losses of the objective.
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
        """Masked positions per example, for which the MLM head computes logits."""
        return self.collator.rule.max_predictions(self.plan.sequence_length) if "mlm_loss" in self.names else 0

    def __call__(self, numbers: Sequence[int]) -> Batch:
        """Return the micro-batch of these examples."""
        examples = self.plan.padded(np.asarray(numbers), self.vocabulary)
        inputs = self.collator.masked_batch(examples)
        masked = int((inputs["masked_labels"] != IGNORED).sum()) if "masked_labels" in inputs else 0
        counts = {"mlm_loss": masked, "nsp_loss": len(examples), TEACHER_LOSS: masked}
        loss_counts = torch.tensor([float(counts[name]) for name in self.names])
        return Batch(inputs, loss_counts, num_tokens=int(examples.lengths.sum()))

    def describe(self, number: int) -> str:
        """Name an example for messages: its epoch, its index, and its documents."""
        epoch, index = divmod(number, self.plan.size)
        documents = " and ".join(self.plan.documents(epoch, index))
        return f"epoch {epoch} index {index} of {documents}"

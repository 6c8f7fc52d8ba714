"""The pre-training loop over a STORE: examples by number, losses by objective, through the thin Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.corpus.store import TokenPart
from bertsmith.objectives.collator import IGNORED, PretrainingCollator
from bertsmith.objectives.examples import EpochPlan
from bertsmith.objectives.masks import Vocabulary
from bertsmith.pretraining.teacher import Teacher
from bertsmith.training.batches import Batch

LOSSES = {
    "mlm+nsp": ("mlm_loss", "nsp_loss"),
    "mlm": ("mlm_loss",),
    "nsp": ("nsp_loss",),
    "mlm+sop": ("mlm_loss", "nsp_loss"),
}
"""The losses of each objective; sentence order prediction trains the NSP head."""

TEACHER_LOSS = "teacher_loss"
"""What a run with a teacher has beside them."""


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


def loss_sums(names: Sequence[str], teacher: Teacher | None = None) -> Callable[[nn.Module, Batch], Tensor]:
    """The function that gives a batch's summed losses, in the order of the names.

    With a teacher the gradients of the masked tokens are divided between their labels and its answers; the losses are
    whole, so that they can be compared with those of a run without one.
    """

    def compute(model: nn.Module, batch: Batch) -> Tensor:
        output = model(**batch, keep_logits=teacher is not None)
        sums = {"mlm_loss": output.mlm_loss_sum, "nsp_loss": output.nsp_loss_sum}
        if teacher is not None:
            answers = teacher.loss_sum(batch, output.prediction_logits)
            sums["mlm_loss"] = _counting(sums["mlm_loss"], 1 - teacher.weight)
            sums[TEACHER_LOSS] = _counting(answers, teacher.weight)
        return torch.stack([sums[name] for name in names])

    return compute


def _counting(loss: Tensor, weight: float) -> Tensor:
    """The loss, whose gradient counts so much."""
    return weight * loss + (1 - weight) * loss.detach()

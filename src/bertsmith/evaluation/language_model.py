"""A language model measured on frozen masks: the same predictions and pairs each time, in flat memory.

The masks and pairs of an evaluation follow from (store, seed), not from the training's seed, so runs can be
compared. The model's loss is compared with that of the smoothed unigram distribution on the very same positions: a
model that does not pass it has learnt how often tokens are, and nothing of their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from bertsmith.corpus.store import TokenPart
from bertsmith.models.bert import BertForPreTraining, PretrainingOutput
from bertsmith.objectives.collator import IGNORED, PretrainingCollator
from bertsmith.objectives.examples import EpochPlan, PaddedExamples
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import OTHER_DOCUMENT
from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.runtime import processes
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress

Observer = Callable[[PaddedExamples, dict[str, torch.Tensor], PretrainingOutput], None]
"""What looks at each batch of an evaluation: the examples before masking, the masked batch, and the output for it."""


class FixedMaskEvaluation:
    """The frozen examples of a part; call it with a model.

    Args:
        objective: "mlm", "nsp", "mlm+nsp" or "mlm+sop".
        negatives: where the B of a random pair comes from, as in training.
        unigram_counts: int64 of [vocabulary], how often each id occurs in the training part, or None.
        max_examples: the size of a random sample that is the same each time; None for all.
    """

    def __init__(
        self,
        part: TokenPart,
        vocabulary: Vocabulary,
        *,
        objective: str,
        sequence_length: int,
        batch_size: int,
        negatives: str = OTHER_DOCUMENT,
        seed: int = 0,
        unigram_counts: npt.NDArray[np.int64] | None = None,
        max_examples: int | None = None,
    ) -> None:
        self.plan = EpochPlan(part, objective, sequence_length, negatives=negatives, seed=seed)
        self.collator = PretrainingCollator(vocabulary, sequence_length=sequence_length, objective=objective, seed=seed)
        self.objective, self.vocabulary, self.batch_size = objective, vocabulary, batch_size
        self.num_examples = min(self.plan.size, max_examples or self.plan.size)
        self.unigram_nats: npt.NDArray[np.float64] | None = None
        if unigram_counts is not None:
            smoothed = unigram_counts.astype(np.float64) + 1
            self.unigram_nats = -np.log(smoothed / smoothed.sum())

    @torch.no_grad()
    def __call__(
        self,
        model: BertForPreTraining,
        *,
        precision: str = "fp32",
        bar: Progress | None = None,
        observe: Observer | None = None,
    ) -> LanguageModelFigures:
        """Measure a model. It is in evaluation mode meanwhile, and as it was afterwards.

        Several processes take a batch each in turn, all the same number of them: a sharded model needs every one.
        `observe` is called with each batch that this process measures.
        """
        was_training = model.training
        model.eval()
        device = next(model.parameters()).device
        sums = dict.fromkeys(("mlm", "correct", "masked", "unigram", "nsp", "judged", "not_next", "pairs"), 0.0)
        starts = range(0, self.num_examples, self.batch_size)
        rank, world_size = processes.rank(), processes.world_size()
        for turn in range(math.ceil(len(starts) / world_size)):
            number = turn * world_size + rank
            start = starts[min(number, len(starts) - 1)]
            stop = min(start + self.batch_size, self.num_examples)
            examples = self.plan.padded(np.arange(start, stop), self.vocabulary)
            batch = {name: value.to(device) for name, value in self.collator.masked_batch(examples).items()}
            with computing(precision, device.type):
                output = model(**batch)
            if number < len(starts):
                self._add(sums, batch, output)
                if observe is not None:
                    observe(examples, batch, output)
            if bar is not None:
                bar.update(min((turn + 1) * world_size * self.batch_size, self.num_examples), total=self.num_examples)
        sums = dict(zip(sums, processes.all_reduce_sum(list(sums.values())), strict=True))
        model.train(was_training)
        return self._figures(sums)

    def _add(self, sums: dict[str, float], batch: dict[str, torch.Tensor], output: PretrainingOutput) -> None:
        """Add the figures of one batch."""
        if output.mlm_loss_sum is not None and output.prediction_logits is not None:
            predicted = batch["masked_labels"] != IGNORED
            labels = batch["masked_labels"][predicted]
            sums["mlm"] += float(output.mlm_loss_sum)
            sums["correct"] += int((output.prediction_logits.argmax(-1)[predicted] == labels).sum())
            sums["masked"] += len(labels)
            if self.unigram_nats is not None:
                sums["unigram"] += float(self.unigram_nats[labels.cpu().numpy()].sum())
        if output.nsp_loss_sum is not None and output.seq_relationship_logits is not None:
            labels = batch["next_sentence_label"]
            sums["nsp"] += float(output.nsp_loss_sum)
            sums["judged"] += int((output.seq_relationship_logits.argmax(-1) == labels).sum())
            sums["not_next"] += int(labels.sum())
            sums["pairs"] += len(labels)

    def _figures(self, sums: dict[str, float]) -> LanguageModelFigures:
        masked, pairs = sums["masked"], sums["pairs"]
        nats = sums["mlm"] / masked if masked else None
        return LanguageModelFigures(
            mlm_nats_per_masked_token=nats,
            mlm_accuracy=sums["correct"] / masked if masked else None,
            perplexity=float(np.exp(min(nats, 700.0))) if nats is not None else None,
            unigram_nats_per_token=sums["unigram"] / masked if masked and self.unigram_nats is not None else None,
            next_sentence_accuracy=sums["judged"] / pairs if pairs else None,
            next_sentence_majority=max(sums["not_next"], pairs - sums["not_next"]) / pairs if pairs else None,
            nsp_nats_per_pair=sums["nsp"] / pairs if pairs else None,
            num_masked_tokens=int(masked),
            num_pairs=int(pairs),
        )

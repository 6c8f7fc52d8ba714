"""The collator: turns examples into a masked batch, for stock models or for our pre-training model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bertsmith.objectives.examples import Example, PaddedExamples
from bertsmith.objectives.masks import TOKEN, MaskingRule, Vocabulary, mask_batch

IGNORED = -100
"""The label of positions that are not predicted, as in torch and transformers."""


class PretrainingCollator:
    """Pads and masks examples, for `transformers.Trainer` or your own training loop.

    A batch holds `input_ids`, `token_type_ids`, `attention_mask`, `labels` (-100 for positions that are not predicted)
    and `next_sentence_label` (0: B is the next sentence, 1: it is not), all int64, as `BertForPreTraining` expects.
    The mask of an example depends only on (seed, epoch, index): no random state is read or changed.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        sequence_length: int = 128,
        mask_rate: float = 0.15,
        mask_split: tuple[float, float, float] = (80, 10, 10),
        mask_unit: str = TOKEN,
        objective: str = "mlm+nsp",
        seed: int = 0,
    ) -> None:
        self.vocabulary, self.sequence_length, self.seed = vocabulary, sequence_length, seed
        self.rule = MaskingRule(mask_rate, mask_split, mask_unit)
        self.masks = objective != "nsp"
        self.judges = objective != "mlm"

    @classmethod
    def for_store(cls, store: str | Path, **options: object) -> PretrainingCollator:
        """Return a collator for the tokenizer of a STORE; the options are those of the class."""
        from bertsmith.corpus.store import TokenStore
        from bertsmith.tokenization.folder import load_tokenizer

        tokenizer = load_tokenizer(str(TokenStore(store).tokenizer_folder))
        return cls(Vocabulary.of(tokenizer), **options)  # type: ignore[arg-type]

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Return a batch for a stock model."""
        batch = self.masked_batch(self.pad(examples))
        result = {name: batch[name] for name in ("input_ids", "token_type_ids")}
        result["attention_mask"] = batch.get("attention_mask", torch.ones_like(batch["input_ids"]))
        if self.masks:
            labels = torch.full_like(batch["input_ids"], IGNORED)
            predicted = batch["masked_labels"] != IGNORED
            labels.view(-1)[batch["masked_positions"][predicted]] = batch["masked_labels"][predicted]
            result["labels"] = labels
        if self.judges:
            result["next_sentence_label"] = batch["next_sentence_label"]
        return result

    def pad(self, examples: Sequence[Example]) -> PaddedExamples:
        """Return examples as padded arrays."""
        input_ids = np.full((len(examples), self.sequence_length), self.vocabulary.pad, dtype=np.int64)
        types = np.zeros_like(input_ids)
        for row, example in enumerate(examples):
            input_ids[row, : len(example.input_ids)] = example.input_ids
            types[row, : len(example.input_ids)] = example.token_type_ids
        return PaddedExamples(
            input_ids,
            types,
            np.array([len(example.input_ids) for example in examples]),
            np.array([example.next_sentence_label for example in examples]),
            np.array([example.epoch for example in examples]),
            np.array([example.index for example in examples]),
        )

    def masked_batch(self, examples: PaddedExamples) -> dict[str, torch.Tensor]:
        """Return a batch for `bertsmith.models.bert.BertForPreTraining`.

        It has `masked_positions` and `masked_labels`, int64 of [predictions], instead of `labels`. Their number is
        fixed: examples times the maximum per example; unused entries have position 0 and the label -100. There is no
        `attention_mask` without padding.
        """
        length = self.sequence_length
        input_ids, lengths = examples.input_ids, examples.lengths
        batch = {}
        if lengths.min() < length:
            batch["attention_mask"] = torch.from_numpy((np.arange(length) < lengths[:, None]).astype(np.int64))
        if self.masks:
            masked = mask_batch(
                input_ids, self.rule, self.vocabulary, seed=self.seed, epochs=examples.epochs, indices=examples.indices
            )
            input_ids = masked.input_ids
            predictions = len(examples) * self.rule.max_predictions(length)
            positions = np.zeros(predictions, np.int64)
            labels = np.full(predictions, IGNORED)
            positions[: len(masked.positions)] = masked.positions
            labels[: len(masked.labels)] = masked.labels
            batch["masked_positions"] = torch.from_numpy(positions)
            batch["masked_labels"] = torch.from_numpy(labels)
        if self.judges:
            batch["next_sentence_label"] = torch.from_numpy(examples.next_sentence_label)
        batch["input_ids"] = torch.from_numpy(input_ids)
        batch["token_type_ids"] = torch.from_numpy(examples.token_type_ids)
        return batch

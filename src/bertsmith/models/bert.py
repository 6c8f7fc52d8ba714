"""The model for pre-training: stock BERT with the same keys, whose MLM head runs on masked positions only.

Only 15% of the 32 x 128 positions of a batch have a label, but stock computes logits over the whole vocabulary for all
positions (500 MB in float32 for 30,522 entries). Losses are sums in float32: the caller divides them by the counts of
the whole update, so splitting a batch does not change the update.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import transformers
from torch import Tensor
from torch.nn import functional

from bertsmith.models.fast.fast_bert import FastBert


@dataclass
class PretrainingOutput:
    """The output of one forward pass of pre-training.

    Attributes:
        mlm_loss_sum, nsp_loss_sum: float32 scalars, cross-entropies in nats summed over predictions and over pairs;
            None if the batch has no labels for them, 0 if all labels are ignored (-100).
        prediction_logits: [masked, vocabulary], for all masked positions including ignored ones; None in a fast
            training step, which overwrites the logits with their gradient unless `keep_logits` is set.
        seq_relationship_logits: [pairs, 2]; index 0 means "B is the next sentence".
    """

    mlm_loss_sum: Tensor | None = None
    nsp_loss_sum: Tensor | None = None
    prediction_logits: Tensor | None = None
    seq_relationship_logits: Tensor | None = None


class BertForPreTraining(transformers.BertForPreTraining):
    """`transformers.BertForPreTraining` with both loss sums of a masked batch; the class name is stored in config.json.

    With `masked_positions` it runs the heads for pre-training; called like stock, it returns what stock returns.
    Labels of -100 are ignored in both cases: they pad a batch to a fixed number of predictions.
    """

    fast: FastBert | None = None
    """The fast operations that replace the stock ones while the model trains (`models.fast.fast_bert.fast`)."""

    def forward(  # type: ignore[no-untyped-def]
        self,
        input_ids=None,
        attention_mask=None,
        token_type_ids=None,
        position_ids=None,
        inputs_embeds=None,
        labels=None,
        next_sentence_label=None,
        *,
        masked_positions=None,
        masked_labels=None,
        keep_logits=False,
        **kwargs,
    ):
        """Return stock's output, or with `masked_positions` or only `next_sentence_label` a PretrainingOutput.

        Args:
            input_ids, token_type_ids: int64 of [batch, length].
            attention_mask: int64 of [batch, length], or None without padding.
            masked_positions: int64 of [masked], indices into the flattened [batch * length].
            masked_labels: int64 of [masked], the original ids at these positions. -100 is ignored; together with
                position 0 it pads a batch to a fixed number of predictions.
            keep_logits: return `prediction_logits` in a fast training step, too.
            next_sentence_label: int64 of [batch]: 0 if B is the next sentence, 1 if not; -100 is ignored.

        Raises TypeError if labels of both forms are given, or positions without labels.
        """
        inputs = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
        }
        if masked_positions is None and (next_sentence_label is None or labels is not None):
            return super().forward(**inputs, labels=labels, next_sentence_label=next_sentence_label, **kwargs)
        if labels is not None or (masked_positions is None) != (masked_labels is None):
            raise TypeError("expected masked_positions and masked_labels together, and no labels next to them")
        encoded = self.bert(**inputs, **kwargs)
        output = PretrainingOutput()
        if masked_positions is not None:
            hidden = encoded.last_hidden_state.flatten(0, 1)[masked_positions]
            if self.fast is not None and self.training and not keep_logits:
                output.mlm_loss_sum = self.fast.decoder_loss(self.cls.predictions, hidden, masked_labels)
            else:
                output.prediction_logits = self.cls.predictions(hidden)
                output.mlm_loss_sum = functional.cross_entropy(
                    output.prediction_logits.float(), masked_labels, reduction="sum"
                )
        if next_sentence_label is not None:
            output.seq_relationship_logits = self.cls.seq_relationship(encoded.pooler_output)
            output.nsp_loss_sum = functional.cross_entropy(
                output.seq_relationship_logits.float(), next_sentence_label, reduction="sum"
            )
        return output


@torch.no_grad()
def extend_vocabulary(model: BertForPreTraining, pieces: Sequence[Sequence[int]], *, first: int, unknown: int) -> None:
    """Add rows for new words at the ids from `first` on: the mean of the rows of the word's old pieces.

    This holds for vectors and output bias: as the decoder is linear, the logit of a new word starts as the mean of the
    logits of its pieces. A word that was unknown (its pieces are [`unknown`]) starts as the mean of all old rows. Old
    rows from `first` on belong to no entry of the tokenizer and are dropped; all other rows stay unchanged.
    """
    model.resize_token_embeddings(first + len(pieces), mean_resizing=False)
    predictions = model.cls.predictions
    decoder = predictions.decoder
    for weight in (model.bert.embeddings.word_embeddings.weight, decoder.weight, decoder.bias):
        everything = weight[:first].mean(0)
        for row, old in enumerate(pieces, start=first):
            weight[row] = everything if list(old) == [unknown] else weight[list(old)].mean(0)
    predictions.bias = decoder.bias


def vocabulary_rows(model: BertForPreTraining) -> dict[str, int]:
    """Return the number of entries in each part of a model that depends on the vocabulary."""
    predictions = model.cls.predictions
    return {
        "config.json": int(model.config.vocab_size),
        "word embeddings": len(model.bert.embeddings.word_embeddings.weight),
        "decoder": len(predictions.decoder.weight),
        "output bias": len(predictions.bias),
    }


def set_dropout(model: torch.nn.Module, probability: float) -> None:
    """Set the dropout of every layer before training; the configuration stays unchanged."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability


def parameter_count(model: torch.nn.Module) -> int:
    """Return the number of parameters; shared parameters count once."""
    return sum(parameter.numel() for parameter in model.parameters())

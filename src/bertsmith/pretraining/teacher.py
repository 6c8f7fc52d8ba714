"""Distillation while pre-training: beside the text a student learns what a trained BERT says at masked positions.

DistilBERT (Sanh et al. 2019, section 3) without its third loss, that of the hidden states: teacher and student may have
different widths.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import ModelError, OptionError
from bertsmith.models.bert import BertForPreTraining, parameter_count
from bertsmith.models.loading import load_bert
from bertsmith.objectives.collator import IGNORED
from bertsmith.runtime.machine import Choice
from bertsmith.tokenization.folder import load_tokenizer

WEIGHT, TEMPERATURE = 0.5, 2.0
"""As in fine-tuning; the temperature is DistilBERT's."""


class Teacher:
    """A trained BERT whose answers are learnt beside the labels.

    Attributes:
        weight: the share of its answers in the loss of masked language modelling.
        temperature: what the logits of teacher and student are divided by.
    """

    def __init__(self, model: BertForPreTraining, entries: int, *, weight: float, temperature: float) -> None:
        self.model = model.eval().requires_grad_(False)
        self.entries, self.weight, self.temperature = entries, weight, temperature

    @torch.no_grad()
    def logits(self, batch: dict[str, Any]) -> Tensor:
        """[masked, entries of the tokenizer], for a micro-batch as the student gets it."""
        output = self.model(**{name: value for name, value in batch.items() if name != "next_sentence_label"})
        return output.prediction_logits[:, : self.entries]  # type: ignore[no-any-return]

    def loss_sum(self, batch: dict[str, Any], student: Tensor) -> Tensor:
        """The Kullback-Leibler divergence of the softened answers in nats, times the temperature squared, so that its
        gradient does not depend on that (Hinton et al. 2015, section 2); a float32 sum over labelled positions.

        Args:
            student: its logits, [masked, vocabulary].
        """
        counted = batch["masked_labels"] != IGNORED
        theirs, own = self.logits(batch)[counted].float(), student[counted, : self.entries].float()
        return self.temperature**2 * functional.kl_div(
            (own / self.temperature).log_softmax(-1),
            (theirs / self.temperature).log_softmax(-1),
            reduction="sum",
            log_target=True,
        )


def load_teacher(
    options: PretrainOptions, tokenizer: Any, *, attention: str, device: str
) -> tuple[Teacher | None, list[Choice]]:
    """The MODEL of `--teacher`, if there is one, and what is said of it.

    Raises ModelError where it is no BERT with a head for masked language modelling, OptionError where its tokenizer or
    its positions do not fit the run.
    """
    name = options.teacher
    if name is None:
        return None, []
    if load_tokenizer(name).get_vocab() != tokenizer.get_vocab():
        raise OptionError(
            f"--teacher {name}: its tokenizer is another one than that of {options.store}, and its answers are learnt "
            f"entry by entry. Prepare the text with it: bertsmith prepare SOURCE --out STORE --tokenizer {name}"
        )
    loaded = load_bert(name, attn_implementation=attention)
    if not loaded.has_mlm_head:
        raise ModelError(
            f"--teacher {name}: has no head for masked language modelling, so it has nothing to say of masked tokens; "
            f"bertsmith pretrain {options.store} --out TEACHER --from {name} --objective mlm gives it one"
        )
    positions = loaded.model.config.max_position_embeddings
    if options.sequence_length > positions:
        raise OptionError(f"--teacher {name}: has {positions} positions; give --sequence-length {positions} or less")
    weight = WEIGHT if options.distil_weight is None else options.distil_weight
    temperature = options.distil_temperature or TEMPERATURE
    model: Any = loaded.model.to(device)  # type: ignore[arg-type]
    teacher = Teacher(model, len(tokenizer), weight=weight, temperature=temperature)
    reason = (
        f"{parameter_count(teacher.model) / 1e6:.1f} M parameters; {weight:g} of the loss of masked tokens, at a "
        f"temperature of {temperature:g}"
    )
    return teacher, [Choice("teacher", name, reason)]

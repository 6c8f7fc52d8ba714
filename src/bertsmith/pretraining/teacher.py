"""Distillation while pre-training: in addition to the text a student learns the answers of a trained BERT.

DistilBERT (Sanh et al. 2019, section 3) without its third loss, that of the hidden states: teacher and student may have
different widths.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bertsmith.config.distillation import TEMPERATURE, WEIGHT
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import ModelError, OptionError
from bertsmith.models.bert import BertForPreTraining, parameter_count
from bertsmith.models.loading import load_bert
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.objectives.collator import IGNORED
from bertsmith.pretraining.choices import Platform
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import warn
from bertsmith.runtime.files import sha256_of
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tokenization.extension import rows_of
from bertsmith.training.batches import Batch
from bertsmith.training.forecast import flops_per_example


class Teacher:
    """A trained BERT whose answers are learnt in addition to the labels.

    Attributes:
        weight: the share of its answers in the loss of masked language modelling.
        temperature: what the logits of teacher and student are divided by.
    """

    def __init__(
        self,
        model: BertForPreTraining,
        entries: int,
        *,
        weight: float,
        temperature: float,
        precision: str = "fp32",
        device: str = "cpu",
    ) -> None:
        self.model: Any = model.eval().requires_grad_(False)
        self.entries, self.weight, self.temperature = entries, weight, temperature
        self.precision, self.device = precision, device

    @torch.no_grad()
    def logits(self, batch: Batch, positions: Tensor) -> Tensor:
        """[positions, entries of the tokenizer] at positions of the flattened micro-batch."""
        inputs = {name: batch.get(name) for name in ("input_ids", "attention_mask", "token_type_ids")}
        with computing(self.precision, self.device):
            hidden = self.model.bert(**inputs).last_hidden_state.flatten(0, 1)
            logits: Tensor = self.model.cls.predictions(hidden[positions])
        return logits[:, : self.entries]

    def step_bytes(self, predicted: float) -> int:
        """Memory that the answers at these masked positions add to a step: matrices of [masked, entries] in float32,
        those of both distributions, their divergence and its gradient (measured: 9.4 of them at the peak, of which
        the student has 1.4 by itself).
        """
        return int(8 * 4 * predicted * self.entries)

    def flops(self, sequence_length: int, predictions: float) -> float:
        """Floating point operations of its answers to an example: of a training step's three passes the first."""
        return flops_per_example(self.model.config, sequence_length, predictions) / 3

    def loss_sum(self, batch: Batch, student: Tensor) -> Tensor:
        """The Kullback-Leibler divergence of the softened answers in nats, times the temperature squared, so that its
        gradient does not depend on that (Hinton et al. 2015, section 2); a float32 sum over labelled positions.

        Args:
            student: its logits, [masked, vocabulary].
        """
        counted = batch["masked_labels"] != IGNORED
        theirs = self.logits(batch, batch["masked_positions"][counted]).float()
        own = student[counted, : self.entries].float()
        return self.temperature**2 * functional.kl_div(
            (own / self.temperature).log_softmax(-1),
            (theirs / self.temperature).log_softmax(-1),
            reduction="sum",
            log_target=True,
        )


def load_teacher(
    options: PretrainOptions, tokenizer: Any, started: PretrainingRecord | None, *, platform: Platform
) -> tuple[Teacher | None, list[AutomaticChoice]]:
    """The MODEL of `--teacher`, if there is one, and its choice with the reason.

    Raises ModelError if it is no BERT with a trained head for masked language modelling and the tokenizer of the
    run, OptionError if its positions do not fit the run, or if its weights have changed since the run that
    resumes was `started`.
    """
    name = options.teacher
    if name is None:
        return None, []
    if started is not None and started.teacher != weights_of(name):
        raise OptionError(
            f"--teacher {name}: its weights are not those that {options.out} was started with; give these back, or "
            "another --out to start anew"
        )
    loaded = load_bert(name, attn_implementation=platform.attention.value)
    faults, store = [], str(options.store)
    if load_model_tokenizer(name).get_vocab() != tokenizer.get_vocab():
        faults.append(
            f"its tokenizer is another one than that of {store}, and its answers are learnt entry by entry. Prepare "
            f"the text with it: bertsmith prepare SOURCE --out STORE --tokenizer {name}"
        )
        store = "STORE"
    if not loaded.has_mlm_head:
        faults.append(
            "has no trained head for masked language modelling, so it has nothing to say of masked tokens; "
            f"bertsmith pretrain {store} --out TEACHER --from {name} --objective mlm gives it one"
        )
    if faults:
        raise ModelError("\n".join(f"--teacher {name}: {fault}" for fault in faults))
    entries = rows_of(tokenizer.get_vocab())
    if loaded.model.config.vocab_size < entries:
        raise ModelError(
            f"--teacher {name}: its embeddings have {loaded.model.config.vocab_size:,} rows and its tokenizer "
            f"{entries:,} entries; save it again with a config.json that belongs to its weights"
        )
    if "mlm" in loaded.doubts:
        warn(f"--teacher {name}: {loaded.doubts['mlm']}")
    positions = loaded.model.config.max_position_embeddings
    if options.sequence_length > positions:
        raise OptionError(f"--teacher {name}: has {positions} positions; give --sequence-length {positions} or less")
    weight = WEIGHT if options.distil_weight is None else options.distil_weight
    temperature = options.distil_temperature or TEMPERATURE
    precision, device = platform.precision.value, platform.device.value
    model: Any = loaded.model.to(device)  # type: ignore[arg-type]
    teacher = Teacher(model, entries, weight=weight, temperature=temperature, precision=precision, device=device)
    reason = (
        f"{parameter_count(teacher.model) / 1e6:.1f} M parameters; {weight:g} of the loss of masked tokens, at a "
        f"temperature of {temperature:g}"
    )
    return teacher, [AutomaticChoice("teacher", name, reason)]


def weights_of(name: str) -> str | None:
    """SHA-256 of the weights in a MODEL's folder; None for a hub name, and for weights in several files."""
    file = Path(name) / "model.safetensors"
    return sha256_of(file) if file.is_file() else None

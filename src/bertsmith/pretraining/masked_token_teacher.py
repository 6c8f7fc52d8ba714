"""Distillation during pre-training: besides the text, the student learns the predictions of a trained BERT.

This is DistilBERT (Sanh et al. 2019, section 3) without its loss on hidden states, so teacher and student may have
different widths.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from bertsmith.pretraining.automatic_choices import Platform
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import warn
from bertsmith.runtime.files import sha256_of
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tokenization.extension import embedding_rows
from bertsmith.training.step_forecast import flops_per_example


class MaskedTokenTeacher:
    """A trained BERT whose predictions for masked tokens a student learns, besides the labels.

    Attributes:
        entries: entries of the tokenizer; rows of the vocabulary beyond them are left out.
        weight: the teacher's share of the loss of masked language modelling.
        temperature: the logits of teacher and student are divided by it.
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
    def logits(self, inputs: Mapping[str, Tensor], positions: Tensor) -> Tensor:
        """Return [positions, entries] for positions of the flattened micro-batch."""
        encoder_inputs = {name: inputs.get(name) for name in ("input_ids", "attention_mask", "token_type_ids")}
        with computing(self.precision, self.device):
            hidden = self.model.bert(**encoder_inputs).last_hidden_state.flatten(0, 1)
            logits: Tensor = self.model.cls.predictions(hidden[positions])
        return logits[:, : self.entries]

    def step_bytes(self, predicted: float) -> int:
        """Return the memory that the teacher adds to a step with this many masked positions.

        It is 8 matrices of [masked, entries] in float32: both distributions, their divergence and its gradient.
        We measured 9.4 at the peak; the student needs 1.4 of them without a teacher, too.
        """
        return int(8 * 4 * predicted * self.entries)

    def flops(self, sequence_length: int, predictions: float) -> float:
        """Return the floating point operations per example: the forward pass, a third of a training step."""
        return flops_per_example(self.model.config, sequence_length, predictions) / 3

    def loss_sum(self, inputs: Mapping[str, Tensor], student_logits: Tensor) -> Tensor:
        """Return the Kullback-Leibler divergence from teacher to student in nats, summed over labelled positions.

        Both distributions are softened by the temperature. The sum (float32) is multiplied by the temperature squared,
        so that the size of its gradient does not depend on the temperature (Hinton et al. 2015, section 2).

        Args:
            student_logits: [masked, vocabulary].
        """
        labelled = inputs["masked_labels"] != IGNORED
        teacher_logits = self.logits(inputs, inputs["masked_positions"][labelled]).float()
        student_logits = student_logits[labelled, : self.entries].float()
        return self.temperature**2 * functional.kl_div(
            (student_logits / self.temperature).log_softmax(-1),
            (teacher_logits / self.temperature).log_softmax(-1),
            reduction="sum",
            log_target=True,
        )


def load_teacher(
    options: PretrainOptions, tokenizer: Any, started: PretrainingRecord | None, *, platform: Platform
) -> tuple[MaskedTokenTeacher | None, list[AutomaticChoice]]:
    """Load the MODEL of `--teacher`, if there is one; return it with the choice that records it.

    Raises ModelError if the MODEL has no trained head for masked language modelling or a different tokenizer.
    Raises OptionError if it has too few positions, or if its weights have changed since the resumed run was `started`.
    """
    name = options.teacher
    if name is None:
        return None, []
    if started is not None and started.teacher != weights_checksum(name):
        raise OptionError(
            f"--teacher {name}: its weights have changed since {options.out} was started. Try: restore them, or a "
            "different --out to start a new run"
        )
    loaded = load_bert(name, attn_implementation=platform.attention.value)
    faults, store = [], str(options.store)
    if load_model_tokenizer(name).get_vocab() != tokenizer.get_vocab():
        faults.append(
            f"its tokenizer differs from that of {store}, but a student needs the teacher's vocabulary. Try: "
            f"bertsmith prepare SOURCE --out STORE --tokenizer {name}"
        )
        store = "STORE"
    if not loaded.has_mlm_head:
        faults.append(
            "it has no trained head for masked language modelling, so it cannot predict masked tokens. Try: "
            f"bertsmith pretrain {store} --out TEACHER --from {name} --objective mlm"
        )
    if faults:
        raise ModelError("\n".join(f"--teacher {name}: {fault}" for fault in faults))
    entries = embedding_rows(tokenizer.get_vocab())
    if loaded.model.config.vocab_size < entries:
        raise ModelError(
            f"--teacher {name}: found {loaded.model.config.vocab_size:,} rows of embeddings, expected at least one per "
            f"entry of its tokenizer ({entries:,}). Try: save it again with the config.json of its weights"
        )
    if "mlm" in loaded.doubts:
        warn(f"--teacher {name}: {loaded.doubts['mlm']}")
    positions = loaded.model.config.max_position_embeddings
    if options.sequence_length > positions:
        raise OptionError(f"--teacher {name}: it has {positions} positions. Try: --sequence-length {positions} or less")
    weight = WEIGHT if options.distil_weight is None else options.distil_weight
    temperature = options.distil_temperature or TEMPERATURE
    precision, device = platform.precision.value, platform.device.value
    model: Any = loaded.model.to(device)  # type: ignore[arg-type]
    teacher = MaskedTokenTeacher(
        model, entries, weight=weight, temperature=temperature, precision=precision, device=device
    )
    reason = (
        f"{parameter_count(teacher.model) / 1e6:.1f} M parameters; {weight:g} of the loss of masked tokens, at "
        f"temperature {temperature:g}"
    )
    return teacher, [AutomaticChoice("teacher", name, reason)]


def weights_checksum(name: str) -> str | None:
    """Return the SHA-256 of the weights in a MODEL's folder; None for a hub name or weights in several files."""
    file = Path(name) / "model.safetensors"
    return sha256_of(file) if file.is_file() else None

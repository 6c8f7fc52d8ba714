"""What a head is trained with, from the options, the data and the MODEL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bertsmith.errors import OptionError
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.defaults import choose_epochs, choose_learning_rate
from bertsmith.finetuning.distillation import distillation_of
from bertsmith.finetuning.engine import HeadSettings, replaced_labels
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.trained_parts import choose_parts, lora_of
from bertsmith.runtime.machine import (
    Choice,
    as_started,
    choose_attention,
    choose_device,
    choose_precision,
    choose_streams,
    prepare_process,
)
from bertsmith.tasks.class_weights import balanced

ONLY_FLOAT32 = ("xmod",)
"""Model types whose modules mix number formats under autocast, which ends in a RuntimeError."""


def head_settings(
    options: FinetuneOptions, data: FinetuningData, config: Any, length: int, record: Mapping[str, Any]
) -> tuple[HeadSettings, list[Choice]]:
    """The settings, and the automatic choices among them with their reasons.

    `config` is the MODEL's configuration, `length` the tokens of a row; `record` is that of the run that goes on, or
    empty.

    Raises OptionError where an option does not fit the data or the MODEL.
    """
    weights = _class_weights(options, data)
    choices = prepare_process()
    device = choose_device()
    started = {choice["name"]: choice["value"] for choice in record.get("choices", ())}
    precision = as_started(precision_of(options.precision, device.value, config), started.get("precision"))
    attention = choose_attention("auto", device.value)
    whole = None if config.model_type == "bert" else "only BERT's parts draw a dropout of their own for each stream"
    streams = choose_streams(device.value, examples=options.batch_size, whole=whole)
    if options.batch_size > 1:  # an update of one example has one stream on every machine
        streams = as_started(streams, started.get("streams"))
    choices += [device, precision, attention, streams]
    if options.max_length is None:
        why = f"the default of {options.task}; predictions use it too (input_length in config.json)"
        choices.append(Choice("max length", str(length), why))
    rate, epochs = options.learning_rate, options.epochs
    if rate is None:
        choices.append(choose_learning_rate(config, lora=options.lora is not None))
        rate = float(choices[-1].value)
    examples = len(data.learnt.encoded.lengths)
    if epochs is None:
        choices.append(choose_epochs(examples, options.batch_size))
        epochs = float(choices[-1].value)
    settings = HeadSettings(
        model=options.model,
        labels=tuple(data.head.labels),
        chosen=data.head.chosen,
        problem_type=options.problem_type,
        steps=max(1, math.ceil(epochs * examples / options.batch_size)),
        batch_size=options.batch_size,
        eval_batch_size=options.eval_batch_size,
        eval_every=options.eval_every or math.ceil(examples / options.batch_size),
        micro_batch_tokens=options.micro_batch_tokens,
        patience=options.patience,
        layer_decay=options.layer_decay,
        freeze_layers=options.freeze_layers,
        save_every=options.save_every,
        learning_rate=rate,
        weight_decay=options.weight_decay,
        precision=precision.value,
        attention=attention.value,
        max_length=length,
        streams=int(streams.value),
        task=options.task,
        class_weights=weights,
        metric=options.metric,
        lora=lora_of(options),
        layers=options.layers,
        distillation=distillation_of(options, data.head),
    )
    choices += choose_parts(settings, config)
    if settings.distillation is not None and options.teacher is not None:
        choices.append(settings.distillation.choice(options.teacher, data.unlabelled))
    own = replaced_labels(config, settings)
    if own is not None:
        choices.append(Choice("head", "fresh", f"that of the MODEL has other labels: {', '.join(own[:20])}"))
    if weights is not None:
        listed = ", ".join(f"{label} {weight:.3g}" for label, weight in zip(data.head.labels, weights, strict=True))
        choices.append(Choice("class weights", listed, "--class-weights balanced: n / (labels * count)"))
    return settings, choices


def precision_of(asked: str, device: str, config: Any) -> Choice:
    """`choose_precision` for a model of this configuration."""
    if asked == "auto" and config.model_type in ONLY_FLOAT32:
        return Choice("precision", "fp32", f"the layers of {config.model_type} in transformers take no other")
    return choose_precision(asked, device)


def _class_weights(options: FinetuneOptions, data: FinetuningData) -> tuple[float, ...] | None:
    if options.class_weights is None:
        return None
    if not data.head.weighs_classes:
        raise OptionError(
            f"--class-weights {options.class_weights}: needs one class an example, which {options.task} "
            f"({data.head.problem_type or 'its labels'}) does not have; leave it out"
        )
    return balanced(data.label_counts)

"""The automatic choices of a fine-tuning, each with its reason, and the settings that follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from bertsmith.errors import OptionError
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.defaults import choose_epochs, choose_learning_rate
from bertsmith.finetuning.distillation import distillation_of
from bertsmith.finetuning.head_model import outline, replaced_labels
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.finetuning.starting_model import StartingModel
from bertsmith.finetuning.trainable_parameters import TrainableParameters
from bertsmith.models.fewer_layers import evenly_spaced
from bertsmith.runtime.machine import (
    AutomaticChoice,
    as_started,
    choose_attention,
    choose_device,
    choose_precision,
    choose_streams,
    prepare_process,
)
from bertsmith.tasks.class_weights import balanced
from bertsmith.training.plan import Computation, Optimization

ONLY_FLOAT32 = ("xmod",)
"""Model types whose modules mix number formats under autocast, which ends in a RuntimeError."""
WARMUP = 0.06


def choose_settings(
    options: FinetuneOptions, data: FinetuningData, start: StartingModel, *, started: Sequence[AutomaticChoice] = ()
) -> tuple[HeadSettings, list[AutomaticChoice]]:
    """The settings, and the automatic choices among them; `started` are the choices of the run that resumes.

    Raises OptionError if an option does not fit the data or the MODEL.
    """
    class_weights = _class_weights(options, data)
    choices, computation, attention = _choose_computation(options, start, started)
    if options.max_length is None:
        why = f"the default of {options.task}; predictions use it too (input_length in config.json)"
        choices.append(AutomaticChoice("max length", str(start.max_length), why))
    rate, epochs = options.learning_rate, options.epochs
    if rate is None:
        choices.append(choose_learning_rate(start.config, lora=options.lora is not None))
        rate = float(choices[-1].value)
    examples = len(data.learnt.encoded.lengths)
    if epochs is None:
        choices.append(choose_epochs(examples, options.batch_size))
        epochs = float(choices[-1].value)
    settings = HeadSettings(
        options,
        data.head,
        max_length=start.max_length,
        steps=max(1, math.ceil(epochs * examples / options.batch_size)),
        eval_every=options.eval_every or math.ceil(examples / options.batch_size),
        optimization=Optimization("adamw", rate, options.weight_decay, warmup=WARMUP),
        computation=computation,
        attention=attention,
        parts=TrainableParameters.of(options),
        distillation=distillation_of(options, data.head),
        class_weights=class_weights,
    )
    return settings, [*choices, *_about_the_model(settings, data, start.config)]


def _choose_computation(
    options: FinetuneOptions, start: StartingModel, started: Sequence[AutomaticChoice]
) -> tuple[list[AutomaticChoice], Computation, str]:
    """The choices for this machine, and what they come to; the last is the implementation of attention."""
    choices, device = prepare_process(), choose_device()
    before = {choice.name: choice.value for choice in started}
    precision = precision_of(options.precision, device.value, start.config)
    precision = as_started(precision, before.get("precision"))
    attention = choose_attention("auto", device.value)
    whole = (
        None if start.config.model_type == "bert" else "only BERT's parts draw a dropout of their own for each stream"
    )
    streams = choose_streams(device.value, examples=options.batch_size, whole=whole)
    if options.batch_size > 1:  # an update of one example has one stream on every machine
        streams = as_started(streams, before.get("streams"))
    computation = Computation(precision.value, int(streams.value))
    return [*choices, device, precision, attention, streams], computation, attention.value


def precision_of(asked: str, device: str, config: Any) -> AutomaticChoice:
    """`choose_precision` for a model of this configuration."""
    if asked == "auto" and config.model_type in ONLY_FLOAT32:
        return AutomaticChoice("precision", "fp32", f"the layers of {config.model_type} in transformers take no other")
    return choose_precision(asked, device)


def _class_weights(options: FinetuneOptions, data: FinetuningData) -> tuple[float, ...] | None:
    """The class weights that the options ask for, None if they ask for none."""
    if options.class_weights is None:
        return None
    if not data.head.supports_class_weights:
        raise OptionError(
            f"--class-weights {options.class_weights}: needs one class an example, which {options.task} "
            f"({data.head.problem_type or 'its labels'}) does not have; leave it out"
        )
    return balanced(data.labels)


def _about_the_model(settings: HeadSettings, data: FinetuningData, config: Any) -> Iterator[AutomaticChoice]:
    """What becomes of the MODEL and of its head; `config` is the MODEL's."""
    options = settings.options
    yield from _about_parts(settings, config)
    if settings.distillation is not None and options.teacher is not None:
        yield settings.distillation.choice(options.teacher, data.unlabelled)
    own = replaced_labels(config, settings)
    if own is not None:
        yield AutomaticChoice("head", "fresh", f"that of the MODEL has other labels: {', '.join(own[:20])}")
    weights = settings.class_weights
    if weights is not None:
        pairs = zip(settings.head.labels, weights, strict=True)
        listed = ", ".join(f"{label} {weight:.3g}" for label, weight in pairs)
        yield AutomaticChoice("class weights", listed, "--class-weights balanced: n / (labels * count)")


def _about_parts(settings: HeadSettings, config: Any) -> Iterator[AutomaticChoice]:
    """Which layers are kept and how many parameters learn, unless it is all of them."""
    parts = settings.parts
    if parts.is_full_finetuning:
        return
    model = outline(settings.options.model, settings.head, parts)
    if parts.layers is not None:
        total = int(config.num_hidden_layers)
        kept = ", ".join(map(str, evenly_spaced(total, parts.layers)))
        yield AutomaticChoice("layers", kept, f"--layers {parts.layers} of {total} (0 is the first), evenly spaced")
    if parts.lora is not None or parts.freeze_layers is not None:
        learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        added = sum(parameter.numel() for name, parameter in model.named_parameters() if ".lora_" in name)
        total = sum(parameter.numel() for parameter in model.parameters()) - added
        if parts.lora is None:
            why = f"--freeze-layers {parts.freeze_layers}"
        else:
            why = f"--lora {parts.lora.rank}: {added:,} in adapters, the others in the head"
        yield AutomaticChoice("trained parameters", f"{learning:,}", f"{why}; the model has {total:,}")

"""The automatic choices of a fine-tuning with their reasons, and the settings that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from bertsmith.errors import OptionError
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.defaults import choose_epochs, choose_learning_rate
from bertsmith.finetuning.head_model import meta_model, replaced_labels
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.finetuning.starting_model import StartingModel
from bertsmith.finetuning.task_teacher import distillation_of
from bertsmith.finetuning.trainable_parameters import TrainableParameters
from bertsmith.models.layer_dropping import evenly_spaced
from bertsmith.runtime.machine import (
    AutomaticChoice,
    as_started,
    choose_attention,
    choose_device,
    choose_micro_batch_threads,
    choose_precision,
    prepare_process,
)
from bertsmith.tasks.class_weights import balanced_class_weights
from bertsmith.training.training_plan import Computation, Optimization

ONLY_FLOAT32 = ("xmod",)
"""Model types that fail under autocast because their modules mix number formats."""
WARMUP = 0.06


def choose_settings(
    options: FinetuneOptions, data: FinetuningData, start: StartingModel, *, started: Sequence[AutomaticChoice] = ()
) -> tuple[HeadSettings, list[AutomaticChoice]]:
    """Return the settings and the automatic choices; `started` are the choices of a resumed run.

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
    examples = len(data.train.encoded.lengths)
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
        trainable_parameters=TrainableParameters.of(options),
        distillation=distillation_of(options, data.head),
        class_weights=class_weights,
    )
    return settings, [*choices, *_model_choices(settings, data, start.config)]


def _choose_computation(
    options: FinetuneOptions, start: StartingModel, started: Sequence[AutomaticChoice]
) -> tuple[list[AutomaticChoice], Computation, str]:
    """Return the choices for this machine, the settings that follow, and the implementation of attention."""
    choices, device = prepare_process(), choose_device()
    before = {choice.name: choice.value for choice in started}
    precision = precision_of(options.precision, device.value, start.config)
    precision = as_started(precision, before.get("precision"))
    attention = choose_attention("auto", device.value)
    obstacle = None if start.config.model_type == "bert" else "only BERT draws dropout separately in each thread"
    threads = choose_micro_batch_threads(device.value, examples=options.batch_size, obstacle=obstacle)
    if options.batch_size > 1:  # one example per update: one thread on every machine
        threads = as_started(threads, before.get("streams"))
    computation = Computation(precision.value, int(threads.value))
    return [*choices, device, precision, attention, threads], computation, attention.value


def precision_of(requested: str, device: str, config: Any) -> AutomaticChoice:
    """Choose the precision for a model with this configuration."""
    if requested == "auto" and config.model_type in ONLY_FLOAT32:
        return AutomaticChoice("precision", "fp32", f"transformers supports only fp32 for {config.model_type}")
    return choose_precision(requested, device)


def _class_weights(options: FinetuneOptions, data: FinetuningData) -> tuple[float, ...] | None:
    """Return the class weights, or None without --class-weights."""
    if options.class_weights is None:
        return None
    if not data.head.supports_class_weights:
        raise OptionError(
            f"--class-weights {options.class_weights}: needs exactly one class per example, which {options.task} "
            f"({data.head.problem_type or 'its labels'}) does not have. Try: leave the option out"
        )
    return balanced_class_weights(data.labels)


def _model_choices(settings: HeadSettings, data: FinetuningData, config: Any) -> Iterator[AutomaticChoice]:
    """Yield the choices about the MODEL and its head; `config` belongs to the MODEL."""
    options = settings.options
    yield from _trainable_parameter_choices(settings, config)
    if settings.distillation is not None and options.teacher is not None:
        yield settings.distillation.choice(options.teacher, data.unlabelled)
    replaced = replaced_labels(config, settings)
    if replaced is not None:
        yield AutomaticChoice(
            "head", "fresh", f"the head of the MODEL has different labels: {', '.join(replaced[:20])}"
        )
    weights = settings.class_weights
    if weights is not None:
        pairs = zip(settings.head.labels, weights, strict=True)
        listed = ", ".join(f"{label} {weight:.3g}" for label, weight in pairs)
        yield AutomaticChoice("class weights", listed, "--class-weights balanced: n / (labels * count)")


def _trainable_parameter_choices(settings: HeadSettings, config: Any) -> Iterator[AutomaticChoice]:
    """Yield the kept layers and the number of trained parameters, unless the whole model is trained."""
    parts = settings.trainable_parameters
    if parts.is_full_finetuning:
        return
    model = meta_model(settings.options.model, settings.head, parts)
    if parts.layers is not None:
        total = int(config.num_hidden_layers)
        kept = ", ".join(map(str, evenly_spaced(total, parts.layers)))
        yield AutomaticChoice("layers", kept, f"--layers {parts.layers} of {total} (0 is the first), evenly spaced")
    if parts.lora is not None or parts.freeze_layers is not None:
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        added = sum(parameter.numel() for name, parameter in model.named_parameters() if ".lora_" in name)
        total = sum(parameter.numel() for parameter in model.parameters()) - added
        if parts.lora is None:
            why = f"--freeze-layers {parts.freeze_layers}"
        else:
            why = f"--lora {parts.lora.rank}: {added:,} in adapters, the rest in the head"
        yield AutomaticChoice("trained parameters", f"{trained:,}", f"{why}; the model has {total:,}")

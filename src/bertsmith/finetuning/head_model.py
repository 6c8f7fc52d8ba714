"""The model that is trained: a MODEL with the head of a task, loaded or as an outline without weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bertsmith.errors import ModelError
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.finetuning.trainable_parameters import TrainableParameters
from bertsmith.models.fewer_layers import with_fewer_layers
from bertsmith.models.loading import check_model, explained, load_config, quiet_transformers, refuse_mismatches
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.model_config import INPUT_LENGTH, forget_head, forget_labels, has_class


def load_head(settings: HeadSettings) -> nn.Module:
    """The MODEL with a head of these labels; the head starts fresh unless the MODEL has one of the same labels.

    Raises ModelError if encoder weights are missing or of a different shape.
    """
    import transformers

    name, head = settings.options.model, settings.head
    check_model(name)
    with explained(name), quiet_transformers():
        loaded: Any = getattr(transformers, head.auto_class).from_pretrained(
            name,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=settings.attention,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **head.config_values(),
        )
    model, info = loaded
    forget_head(model.config)
    model.config.problem_type = head.config_values().get("problem_type")
    if not head.labels and model.config.problem_type is None:
        forget_labels(model.config, model.config.num_labels)
    # Stored before training, so that checkpoints have it too.
    model.config.update({INPUT_LENGTH: settings.max_length, **head.chosen})
    prefix = f"{model.base_model_prefix}."
    refuse_mismatches(name, [item for item in info["mismatched_keys"] if item[0].startswith(prefix)])
    missing = [key for key in info["missing_keys"] if key.startswith(prefix) and "pooler" not in key]
    if missing:
        raise ModelError(f"{name}: {len(missing)} weights of the encoder are missing, {missing[0]} among them")
    if replaced_labels(load_config(name), settings) is not None:
        _start_afresh(model)
    layers = settings.parts.layers
    trained: nn.Module = model if layers is None else with_fewer_layers(model, layers)
    return trained


def outline(name: str, head: AnyTask, parts: TrainableParameters) -> nn.Module:
    """The MODEL of a name as it is trained, without weights: it tells which parameters learn, and how many there are.

    Raises OptionError if the parts do not fit it.
    """
    import transformers

    with explained(name), quiet_transformers(), torch.device("meta"):
        config = transformers.AutoConfig.from_pretrained(name, **head.config_values())
        model: nn.Module = getattr(transformers, head.auto_class).from_config(config)
        if parts.layers is not None:
            model = with_fewer_layers(model, parts.layers)
        return parts.apply_to(model)


def replaced_labels(config: Any, settings: HeadSettings) -> list[str] | None:
    """The labels of the head that a MODEL of this configuration has, if they differ from those that are trained.

    The same names in a different order differ: the weights of a head know its labels by their order.
    """
    if not settings.head.labels or not has_class(config, settings.options.task):
        return None
    own = [config.id2label[number] for number in sorted(config.id2label)]
    return own if own != settings.head.labels else None


def _start_afresh(model: Any) -> None:
    """Draw the weights of everything but the encoder anew, as transformers draws those that a file lacks."""
    for name, part in model.named_children():
        if name == model.base_model_prefix:
            continue
        for item in (*part.modules(), *part.parameters()):
            item._is_hf_initialized = False
        part.apply(model._init_weights)

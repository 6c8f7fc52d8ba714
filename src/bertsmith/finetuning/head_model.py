"""The trained model: a MODEL with the head of a task, loaded, or on the meta device without weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bertsmith.errors import ModelError
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.finetuning.trainable_parameters import TrainableParameters
from bertsmith.models.layer_dropping import with_fewer_layers
from bertsmith.models.loading import check_model, load_config, loading_errors, quiet_transformers, refuse_mismatches
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.model_config import INPUT_LENGTH, forget_head, forget_labels, has_class


def load_head(settings: HeadSettings) -> nn.Module:
    """Load the MODEL with a head for these labels; the head is new unless the MODEL has one with the same labels.

    Raises ModelError if encoder weights are missing or of a different shape.
    """
    import transformers

    name, head = settings.options.model, settings.head
    check_model(name)
    with loading_errors(name), quiet_transformers():
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
    # Set before training, so that checkpoints have these values too.
    model.config.update({INPUT_LENGTH: settings.max_length, **head.fitted_values})
    prefix = f"{model.base_model_prefix}."
    refuse_mismatches(name, [item for item in info["mismatched_keys"] if item[0].startswith(prefix)])
    missing = [key for key in info["missing_keys"] if key.startswith(prefix) and "pooler" not in key]
    if missing:
        raise ModelError(
            f"{name}: {len(missing)} weights of the encoder are missing, for example {missing[0]}; "
            "the weights do not fit this config.json"
        )
    if replaced_labels(load_config(name), settings) is not None:
        _reinitialize_head(model)
    layers = settings.trainable_parameters.layers
    trained: nn.Module = model if layers is None else with_fewer_layers(model, layers)
    return trained


def meta_model(name: str, head: AnyTask, parts: TrainableParameters) -> nn.Module:
    """Build the trained model on the meta device, without weights, to count its parameters and check the options.

    Raises OptionError if `parts` does not fit the model.
    """
    import transformers

    with loading_errors(name), quiet_transformers(), torch.device("meta"):
        config = transformers.AutoConfig.from_pretrained(name, **head.config_values())
        model: nn.Module = getattr(transformers, head.auto_class).from_config(config)
        if parts.layers is not None:
            model = with_fewer_layers(model, parts.layers)
        return parts.apply_to(model)


def replaced_labels(config: Any, settings: HeadSettings) -> list[str] | None:
    """Return the labels of the MODEL's head if they differ from the trained labels, else None.

    Order matters: the weights of a head know labels by position.
    """
    if not settings.head.labels or not has_class(config, settings.options.task):
        return None
    model_labels = [config.id2label[number] for number in sorted(config.id2label)]
    return model_labels if model_labels != settings.head.labels else None


def _reinitialize_head(model: Any) -> None:
    """Initialize everything outside the encoder again, as transformers initializes missing weights."""
    for name, part in model.named_children():
        if name == model.base_model_prefix:
            continue
        for item in (*part.modules(), *part.parameters()):
            item._is_hf_initialized = False
        part.apply(model._init_weights)

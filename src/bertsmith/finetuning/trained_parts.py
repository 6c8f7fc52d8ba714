"""What of a model `finetune` trains by its options, and how many numbers that is."""

from __future__ import annotations

from typing import Any

from bertsmith.config.extras import require_extra
from bertsmith.finetuning.engine import HeadSettings, outline
from bertsmith.finetuning.lora import Lora
from bertsmith.finetuning.options import HeadTrainingOptions
from bertsmith.models.fewer_layers import evenly_spaced
from bertsmith.runtime.machine import Choice
from bertsmith.tasks.base import task_class
from bertsmith.tasks.values import SINGLE_LABEL


def lora_of(options: HeadTrainingOptions) -> Lora | None:
    """The adapters that are asked for. Raises OptionError where peft is not installed."""
    if options.lora is None:
        return None
    require_extra("lora", f"--lora {options.lora}", "peft")
    return Lora(options.lora, options.lora_alpha or 2.0 * options.lora, options.lora_targets or ())


def check_parts(options: HeadTrainingOptions, model: str, task: str) -> None:
    """Raise OptionError where the parts that are to learn are none of the MODEL's, whatever the labels will be."""
    lora = lora_of(options)
    if lora is None and options.freeze_layers is None and options.layers is None:
        return
    head = task_class(task)(("0", "1"), SINGLE_LABEL)
    outline(model, head, layers=options.layers, freeze_layers=options.freeze_layers, lora=lora)


def choose_parts(settings: HeadSettings, config: Any) -> list[Choice]:
    """Which layers are kept and how many parameters learn, where it is not all of them; `config` is the MODEL's."""
    if settings.lora is None and settings.freeze_layers is None and settings.layers is None:
        return []
    model = outline(
        settings.model,
        settings.head,
        layers=settings.layers,
        freeze_layers=settings.freeze_layers,
        lora=settings.lora,
    )
    choices = []
    if settings.layers is not None:
        total = int(config.num_hidden_layers)
        kept = ", ".join(map(str, evenly_spaced(total, settings.layers)))
        choices.append(Choice("layers", kept, f"--layers {settings.layers} of {total} (0 is the first), evenly spaced"))
    if settings.lora is not None or settings.freeze_layers is not None:
        learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        added = sum(parameter.numel() for name, parameter in model.named_parameters() if ".lora_" in name)
        total = sum(parameter.numel() for parameter in model.parameters()) - added
        if settings.lora is None:
            why = f"--freeze-layers {settings.freeze_layers}"
        else:
            why = f"--lora {settings.lora.rank}: {added:,} in adapters, the others in the head"
        choices.append(Choice("trained parameters", f"{learning:,}", f"{why}; the model has {total:,}"))
    return choices

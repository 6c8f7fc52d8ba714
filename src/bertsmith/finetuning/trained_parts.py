"""What of a model `finetune` trains by its options, and how many numbers that is."""

from __future__ import annotations

from bertsmith.config.extras import require_extra
from bertsmith.config.finetune import FinetuneOptions
from bertsmith.finetuning.engine import HeadSettings, outline
from bertsmith.finetuning.lora import Lora
from bertsmith.runtime.machine import Choice


def lora_of(options: FinetuneOptions) -> Lora | None:
    """The adapters that are asked for. Raises OptionError where peft is not installed."""
    if options.lora is None:
        return None
    require_extra("lora", f"--lora {options.lora}", "peft")
    return Lora(options.lora, options.lora_alpha or 2.0 * options.lora, options.lora_targets or ())


def choose_parameters(settings: HeadSettings) -> list[Choice]:
    """How many parameters learn, where not all do. Raises OptionError where the settings do not fit the MODEL."""
    if settings.lora is None and settings.freeze_layers is None:
        return []
    model = outline(settings)
    learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    added = sum(parameter.numel() for name, parameter in model.named_parameters() if ".lora_" in name)
    total = sum(parameter.numel() for parameter in model.parameters()) - added
    if settings.lora is None:
        why = f"--freeze-layers {settings.freeze_layers}"
    else:
        why = f"--lora {settings.lora.rank}: {added:,} in adapters, the others in the head"
    return [Choice("trained parameters", f"{learning:,}", f"{why}; the model has {total:,}")]

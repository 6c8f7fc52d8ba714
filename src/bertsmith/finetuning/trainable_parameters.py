"""The parameters that `finetune` trains: of all layers or some, with frozen layers, or of adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import nn

from bertsmith.config.extras import require_extra
from bertsmith.finetuning.lora import Lora, add_adapters
from bertsmith.finetuning.options import HeadTrainingOptions
from bertsmith.finetuning.parameters import freeze


@dataclass(frozen=True)
class TrainableParameters:
    """The trained parameters; without any of the three attributes the whole model.

    Attributes:
        layers: the number of layers to keep.
        freeze_layers: freeze the embeddings and this number of layers.
        lora: train adapters instead of the encoder's weights.
    """

    layers: int | None = None
    freeze_layers: int | None = None
    lora: Lora | None = None

    @classmethod
    def of(cls, options: HeadTrainingOptions) -> Self:
        """Read the options. Raises OptionError if --lora is given and peft is not installed."""
        if options.lora is None:
            return cls(options.layers, options.freeze_layers)
        require_extra("lora", f"--lora {options.lora}", "peft")
        lora = Lora(options.lora, options.lora_alpha or 2.0 * options.lora, options.lora_targets or ())
        return cls(options.layers, options.freeze_layers, lora)

    @property
    def is_full_finetuning(self) -> bool:
        """Whether the whole model is trained."""
        return self == type(self)()

    def apply_to(self, model: Any) -> nn.Module:
        """Freeze weights or add adapters, in place; returns the model, whose layers are already the right ones."""
        frozen = -1 if self.freeze_layers is None else self.freeze_layers
        if self.lora is not None:
            add_adapters(model, self.lora, frozen_layers=frozen)
        else:
            freeze(model, model.config, frozen)
        trained: nn.Module = model
        return trained

"""The parts of a MODEL that `finetune` trains: some layers kept, some frozen, or adapters in their place."""

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
    """What is trained; without any of the three it is the whole model.

    Attributes:
        layers: the number of the MODEL's layers that are kept.
        freeze_layers: the embeddings and this number of layers are frozen.
        lora: adapters that are trained in place of the encoder's weights.
    """

    layers: int | None = None
    freeze_layers: int | None = None
    lora: Lora | None = None

    @classmethod
    def of(cls, options: HeadTrainingOptions) -> Self:
        """The parts that the options name. Raises OptionError if adapters need peft and it is not installed."""
        if options.lora is None:
            return cls(options.layers, options.freeze_layers)
        require_extra("lora", f"--lora {options.lora}", "peft")
        lora = Lora(options.lora, options.lora_alpha or 2.0 * options.lora, options.lora_targets or ())
        return cls(options.layers, options.freeze_layers, lora)

    @property
    def is_full_finetuning(self) -> bool:
        """Whether the whole model is kept and trained."""
        return self == type(self)()

    def apply_to(self, model: Any) -> nn.Module:
        """A model that has the right layers, with the other weights frozen or with adapters, in place."""
        frozen = -1 if self.freeze_layers is None else self.freeze_layers
        if self.lora is not None:
            add_adapters(model, self.lora, frozen_layers=frozen)
        else:
            freeze(model, model.config, frozen)
        learning: nn.Module = model
        return learning

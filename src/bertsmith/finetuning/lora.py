"""LoRA: low-rank adapters on linear layers of the encoder learn in place of its weights (Hu et al. 2021).

An adapter adds B A x times alpha / rank to what a layer gives; A starts at random and B at zero, so training starts
from the MODEL. The pooler and the head learn in full. After training the products are added to the weights, so a RUN is
a stock model of the same keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from bertsmith.config.option_names import nearest
from bertsmith.errors import OptionError
from bertsmith.finetuning.parameters import depth_of

ALL_LINEAR = "all-linear"
QUERY_AND_VALUE = (
    *(("query", "value"), ("q_lin", "v_lin"), ("query_proj", "value_proj"), ("q_proj", "v_proj"), ("q", "v")),
    *(("Wqkv",), ("in_proj",)),
)
"""What transformers' encoders call the projections to queries and values, or the one to both."""


@dataclass(frozen=True)
class Lora:
    """Adapters of this rank; `targets` are names of linear layers, none for those of queries and values."""

    rank: int
    alpha: float
    targets: tuple[str, ...] = ()


def add_adapters(model: Any, lora: Lora, *, frozen_layers: int = -1) -> None:
    """Give the encoder of a model adapters in place; they learn, and everything outside the encoder and its pooler.

    Args:
        frozen_layers: the number of first layers without adapters.

    Raises OptionError if a target is no linear layer of the encoder.
    """
    import peft

    names = target_names(model, lora.targets, frozen_layers=frozen_layers)
    config = peft.LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=names, bias="none")
    peft.inject_adapter_in_model(config, model)
    del model.peft_config  # stock's save_pretrained and Trainer shall see an ordinary model
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".lora_" in name or not _is_of_encoder(model, name))


def merge_adapters(model: nn.Module) -> None:
    """Add what the adapters of a model have learnt to the weights, and take them out."""
    from peft.tuners.lora import LoraLayer

    found = [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]
    for name, module in found:
        module.merge()
        path, _, own = name.rpartition(".")
        setattr(model.get_submodule(path), own, module.get_base_layer())


def target_names(model: Any, targets: Sequence[str], *, frozen_layers: int = -1) -> list[str]:
    """The full names of the linear layers that get adapters. Raises OptionError if a target has none."""
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _is_of_encoder(model, f"{name}.weight")
    ]
    endings = sorted({_ending(name) for name in linear})
    there = f"the linear layers of its encoder are {', '.join(endings[:20])}"
    if not targets:
        targets = next((pair for pair in QUERY_AND_VALUE if set(pair) <= set(endings)), ())
        if not targets:
            raise OptionError(
                f"--lora: the projections to queries and values of this MODEL ({model.config.model_type}) are not "
                f"known; give some by --lora-targets: {there}"
            )
    if tuple(targets) == (ALL_LINEAR,):
        chosen = linear
    else:
        for target in targets:
            if not any(_is_called(name, target) for name in linear):
                raise OptionError(
                    f"--lora-targets: the MODEL has no {target!r}{nearest(target, endings)}; {there}, or {ALL_LINEAR}"
                )
        chosen = [name for name in linear if any(_is_called(name, target) for target in targets)]
    count = int(model.config.num_hidden_layers)
    learning = [name for name in chosen if depth_of(f"{name}.weight", count) > frozen_layers]
    if not learning:
        raise OptionError(f"--freeze-layers {frozen_layers}: leaves no layer for the adapters of --lora")
    return learning


def _is_of_encoder(model: Any, name: str) -> bool:
    return name.startswith(f"{model.base_model_prefix}.") and "pooler" not in name


def _ending(name: str) -> str:
    """The name of a layer within its block: `query`, or `output.dense` if the last word alone says little."""
    words = name.split(".")
    return words[-1] if words[-1] != "dense" else ".".join(words[-2:])


def _is_called(name: str, target: str) -> bool:
    """As peft compares names: by their last words."""
    return name == target or name.endswith(f".{target}")

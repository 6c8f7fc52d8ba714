"""LoRA: train low-rank adapters on linear layers of the encoder instead of its weights (Hu et al. 2021).

An adapter adds B A x times alpha / rank to the output of a layer. A starts at random and B at zero, so training starts
from the MODEL. The pooler and the head are trained in full. After training the products are added to the weights, so a
RUN is a stock model with the same keys.
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
"""The names of query and value projections in transformers' encoders, or of their joint projection."""


@dataclass(frozen=True)
class Lora:
    """Adapters of a rank; `targets` names linear layers, empty for the query and value projections."""

    rank: int
    alpha: float
    targets: tuple[str, ...] = ()


def add_adapters(model: Any, lora: Lora, *, frozen_layers: int = -1) -> None:
    """Add trainable adapters to the encoder, in place, and freeze its other weights; pooler and head stay trainable.

    Args:
        frozen_layers: the number of first layers without adapters.

    Raises OptionError if a target is not a linear layer of the encoder.
    """
    import peft

    names = target_names(model, lora.targets, frozen_layers=frozen_layers)
    config = peft.LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=names, bias="none")
    peft.inject_adapter_in_model(config, model)
    del model.peft_config  # save_pretrained and the Trainer treat the model as an ordinary one
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".lora_" in name or not _is_of_encoder(model, name))


def merge_adapters(model: nn.Module) -> None:
    """Merge the adapters of a model into its weights and remove them."""
    from peft.tuners.lora import LoraLayer

    found = [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]
    for name, module in found:
        module.merge()
        path, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(path), attribute, module.get_base_layer())


def target_names(model: Any, targets: Sequence[str], *, frozen_layers: int = -1) -> list[str]:
    """Return the full names of the layers that get adapters. Raises OptionError if a target matches none."""
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _is_of_encoder(model, f"{name}.weight")
    ]
    endings = sorted({_ending(name) for name in linear})
    available = f"the linear layers of its encoder are {', '.join(endings[:20])}"
    if not targets:
        targets = next((pair for pair in QUERY_AND_VALUE if set(pair) <= set(endings)), ())
        if not targets:
            raise OptionError(
                f"--lora: the query and value projections of this MODEL ({model.config.model_type}) are unknown. Try: "
                f"--lora-targets NAME,NAME; {available}"
            )
    if tuple(targets) == (ALL_LINEAR,):
        chosen = linear
    else:
        for target in targets:
            if not any(_is_called(name, target) for name in linear):
                raise OptionError(
                    f"--lora-targets: the MODEL has no {target!r}{nearest(target, endings)}; {available}, or "
                    f"{ALL_LINEAR}"
                )
        chosen = [name for name in linear if any(_is_called(name, target) for target in targets)]
    count = int(model.config.num_hidden_layers)
    adapted = [name for name in chosen if depth_of(f"{name}.weight", count) > frozen_layers]
    if not adapted:
        raise OptionError(
            f"--freeze-layers: found {frozen_layers}, which freezes all layers with adapters of --lora. Try: fewer"
        )
    return adapted


def _is_of_encoder(model: Any, name: str) -> bool:
    return name.startswith(f"{model.base_model_prefix}.") and "pooler" not in name


def _ending(name: str) -> str:
    """Return the name of a layer within its block: `query`, or `output.dense` if `dense` alone is ambiguous."""
    words = name.split(".")
    return words[-1] if words[-1] != "dense" else ".".join(words[-2:])


def _is_called(name: str, target: str) -> bool:
    """Compare names as peft does: by their endings."""
    return name == target or name.endswith(f".{target}")

"""Frozen layers, and learning rates that fall from the head to the embeddings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch import nn

_LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks)\.(\d+)\.")


def depth_of(name: str, num_layers: int) -> int:
    """Return the depth of a parameter: 0 in the embeddings, 1 to `num_layers` in a layer, then pooler and head."""
    found = _LAYER.search(name)
    if found:
        return int(found[1]) + 1
    return 0 if "embed" in name.split(".", 1)[-1] else num_layers + 1


def rate_shares_by_layer(config: Any, decay: float) -> Callable[[str], float] | None:
    """Return the function from a parameter's name to its share of the learning rate: times `decay` per layer downwards.

    Howard and Ruder 2018, section 3.2 ("discriminative fine-tuning"); in this form Clark et al. 2020 (ELECTRA). None
    for a decay of 1: all parameters get the full rate.
    """
    if decay == 1.0:
        return None
    count = int(config.num_hidden_layers)
    return lambda name: float(decay ** (count + 1 - depth_of(name, count)))


def freeze(model: nn.Module, config: Any, layers: int) -> None:
    """Freeze the embeddings and the first `layers` layers."""
    count = int(config.num_hidden_layers)
    for name, parameter in model.named_parameters():
        if depth_of(name, count) <= layers:
            parameter.requires_grad_(False)

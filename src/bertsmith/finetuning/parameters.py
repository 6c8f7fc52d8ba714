"""Which parameters of a model learn, and how fast: frozen layers, rates that fall from the head to the embeddings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch import nn

_LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks)\.(\d+)\.")


def depth_of(name: str, num_layers: int) -> int:
    """The depth of a parameter: 0 in the embeddings, 1 to `num_layers` in a layer, one more in pooler and head."""
    found = _LAYER.search(name)
    if found:
        return int(found[1]) + 1
    return 0 if "embed" in name.split(".", 1)[-1] else num_layers + 1


def rates_by_layer(config: Any, decay: float) -> Callable[[str], float] | None:
    """The share of the learning rate of a parameter by its name: `decay` less for each layer below the head.

    Howard and Ruder 2018, section 3.2 ("discriminative fine-tuning"); in this form Clark et al. 2020 (ELECTRA). None
    where nothing falls.
    """
    if decay == 1.0:
        return None
    count = int(config.num_hidden_layers)
    return lambda name: float(decay ** (count + 1 - depth_of(name, count)))


def freeze(model: nn.Module, config: Any, layers: int) -> None:
    """The embeddings and the first `layers` layers stay as they are."""
    count = int(config.num_hidden_layers)
    for name, parameter in model.named_parameters():
        if depth_of(name, count) <= layers:
            parameter.requires_grad_(False)

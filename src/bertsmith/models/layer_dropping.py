"""A smaller model from the layers of a larger one, as the students of distillation start."""

from __future__ import annotations

import copy
import re
from typing import Any

from torch import nn

from bertsmith.errors import OptionError


def evenly_spaced(layers: int, count: int) -> list[int]:
    """Which layers are kept: the first, the last and the others as far apart from each other as can be.

    Of twelve layers the six that DistilBERT starts from (Sanh et al. 2019, section 3: "one layer out of two"; in its
    code 0, 2, 4, 7, 9, 11). One layer alone is the first.
    """
    return [round(number * (layers - 1) / max(count - 1, 1)) for number in range(count)]


def with_fewer_layers(model: Any, count: int) -> Any:
    """A model with `count` of the layers of this one and everything else, as its smaller configuration makes it.

    Raises OptionError where the model has fewer layers, or no layers of their own (ALBERT's share their weights).
    """
    total = int(model.config.num_hidden_layers)
    if count > total:
        raise OptionError(f"--layers {count}: the model has {total} layers")
    path = next(
        (name for name, part in model.named_modules() if isinstance(part, nn.ModuleList) and len(part) == total), None
    )
    if path is None:
        raise OptionError(
            f"--layers {count}: the layers of this MODEL ({model.config.model_type}) share their weights, so none of "
            "them can be left out"
        )
    kept = evenly_spaced(total, count)
    config = copy.deepcopy(model.config)
    if getattr(config, "layer_types", None) is not None:
        config.layer_types = [config.layer_types[layer] for layer in kept]
    config.num_hidden_layers = count
    smaller = type(model)(config)
    places = {layer: place for place, layer in enumerate(kept)}
    weights = {}
    for name, tensor in model.state_dict().items():
        found = re.match(rf"{re.escape(path)}\.(\d+)\.", name)
        if found is None:
            weights[name] = tensor
        elif int(found[1]) in places:
            weights[f"{path}.{places[int(found[1])]}.{name[found.end() :]}"] = tensor
    smaller.load_state_dict(weights)
    return smaller.train(model.training)

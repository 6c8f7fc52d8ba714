"""A smaller model from some layers of a larger one, as a start for distillation."""

from __future__ import annotations

import copy
import re
from typing import Any

from torch import nn

from bertsmith.errors import OptionError


def evenly_spaced(layers: int, count: int) -> list[int]:
    """Return the layers to keep: the first, the last, and evenly spaced layers between them; the first if `count` is 1.

    6 of 12 layers are those that DistilBERT starts from (Sanh et al. 2019, section 3: "one layer out of two"; in its
    code 0, 2, 4, 7, 9, 11).
    """
    return [round(number * (layers - 1) / max(count - 1, 1)) for number in range(count)]


def with_fewer_layers(model: Any, count: int) -> Any:
    """Return a new model with `count` layers of this one and all of its other weights.

    Raises OptionError if the model has fewer layers, or if its layers share their weights (ALBERT).
    """
    total = int(model.config.num_hidden_layers)
    if count > total:
        raise OptionError(f"--layers: found {count}, expected at most {total} (the layers of the model)")
    path = next(
        (name for name, part in model.named_modules() if isinstance(part, nn.ModuleList) and len(part) == total), None
    )
    if path is None:
        raise OptionError(
            f"--layers {count}: the layers of this MODEL ({model.config.model_type}) share their weights, so "
            "no layer can be left out. Try: leave the option out"
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

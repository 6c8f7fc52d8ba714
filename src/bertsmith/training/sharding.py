"""Sharding: weights, gradients and optimizer state divided over the processes (FSDP2, torch's `fully_shard`).

accelerate turns FSDP on for accelerators only: asked for on a CPU it gives DistributedDataParallel without a word. So
the model is sharded here, one unit a layer and one for the rest, on whatever device there is. What is written is
whole: a stock model, and a state that any number of processes can go on with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from bertsmith.errors import BertsmithError
from bertsmith.runtime import processes

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_FROM_WHOLE = StateDictOptions(full_state_dict=True, strict=False)


def shard(model: Any) -> None:
    """Divide a BERT over the processes, in place.

    Raises BertsmithError where a parameter is not sharded afterwards: a run that is asked to be sharded never trains
    unsharded.
    """
    device = next(model.parameters()).device.type
    mesh = init_device_mesh(device, (processes.world_size(),))
    for layer in model.bert.encoder.layer:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    plain = [name for name, parameter in model.named_parameters() if not isinstance(parameter, DTensor)]
    if plain:
        raise BertsmithError(f"--fsdp is not in effect: {plain[0]} and {len(plain) - 1} other weights are not sharded")


def weights(model: nn.Module) -> dict[str, Any]:
    """The whole weights, in the first process; all call it."""
    return get_model_state_dict(model, options=_WHOLE)


def whole_model(model: Any, plain_class: type[nn.Module]) -> Any:
    """A copy of the model before it was sharded, of its own class, in the first process; None in the others."""
    state = weights(model)
    if not processes.is_main():
        return None
    with torch.random.fork_rng([]):  # a checkpoint changes nothing: the dropout behind it is drawn as without one
        plain: Any = plain_class(model.config)
    plain.load_state_dict(state, strict=False)
    plain.tie_weights()
    return plain.eval()


def optimizer_state(model: nn.Module, optimizer: Any) -> dict[str, Any]:
    """The whole state of the optimizer by the names of the weights, in the first process; all call it."""
    return get_optimizer_state_dict(model, _inner(optimizer), options=_WHOLE)


def load_weights(model: Any, checkpoint: Path) -> None:
    """Take the weights of a checkpoint; each process reads them and keeps its part."""
    state: dict[str, Any] = load_file(checkpoint / "model.safetensors")
    set_model_state_dict(model, state, options=_FROM_WHOLE)


def load_optimizer_state(model: nn.Module, optimizer: Any, state: dict[str, Any]) -> None:
    """Take the whole state of an optimizer; each process keeps its part."""
    set_optimizer_state_dict(model, _inner(optimizer), state, options=_FROM_WHOLE)


def _inner(optimizer: Any) -> torch.optim.Optimizer:
    """The optimizer that accelerate has wrapped."""
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner

"""Sharding: weights, gradients and optimizer state divided over the processes (FSDP2, torch's `fully_shard`).

accelerate supports FSDP on accelerators only; on a CPU it silently gives DistributedDataParallel instead. So the model
is sharded here, on any device: one unit per layer and one for the rest. Files on disk are never sharded: a stock model,
and a state from which any number of processes can resume.
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
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from bertsmith.errors import BertsmithError
from bertsmith.runtime import processes

_GATHER = StateDictOptions(full_state_dict=True, cpu_offload=True)
_SCATTER = StateDictOptions(full_state_dict=True, strict=False)


def shard(model: Any) -> None:
    """Divide a BERT over the processes, in place.

    Raises BertsmithError if a parameter is not sharded afterwards: with `--fsdp` a run never trains unsharded.
    """
    device = next(model.parameters()).device.type
    mesh = init_device_mesh(device, (processes.world_size(),))
    for layer in model.bert.encoder.layer:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    plain = [name for name, parameter in model.named_parameters() if not isinstance(parameter, DTensor)]
    if plain:
        raise BertsmithError(f"--fsdp has no effect: {plain[0]} and {len(plain) - 1} other weights are not sharded")


def is_sharded(model: nn.Module) -> bool:
    """Return whether a model is divided over the processes."""
    return isinstance(model, FSDPModule)


def plain_model(model: Any) -> Any:
    """Return the model as one process can save it; all processes call this.

    A model that is not sharded is returned as it is. Of a sharded one the first process gets a copy of its original
    class; the other processes get None.
    """
    if not is_sharded(model):
        return model
    state = get_model_state_dict(model, options=_GATHER)
    if not processes.is_main():
        return None
    # fully_shard changes the class of a model to a subclass of FSDPModule and the original one.
    original: Any = next(kind for kind in type(model).__mro__ if not issubclass(kind, FSDPModule))
    with torch.random.fork_rng([]):  # writing a checkpoint must not change the dropout that is drawn next
        plain: Any = original(model.config)
    plain.load_state_dict(state, strict=False)
    plain.tie_weights()
    return plain.eval()


def gather_optimizer_state(model: nn.Module, optimizer: Any) -> dict[str, Any]:
    """Return the whole state of the optimizer by names of weights, in the first process; all processes call this."""
    return get_optimizer_state_dict(model, _unwrapped(optimizer), options=_GATHER)


def load_weights(model: Any, checkpoint: Path) -> None:
    """Load the weights of a checkpoint; each process reads them all and keeps its part."""
    state: dict[str, Any] = load_file(checkpoint / "model.safetensors")
    set_model_state_dict(model, state, options=_SCATTER)


def load_optimizer_state(model: nn.Module, optimizer: Any, state: dict[str, Any]) -> None:
    """Load the whole state of an optimizer; each process keeps its part."""
    set_optimizer_state_dict(model, _unwrapped(optimizer), state, options=_SCATTER)


def _unwrapped(optimizer: Any) -> torch.optim.Optimizer:
    """Return the optimizer inside accelerate's wrapper."""
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner

"""What torch draws dropout from, kept with a checkpoint: a state of each process."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bertsmith.runtime import processes
from bertsmith.runtime.console import log_info

FILE = "random_states.pt"


def current() -> dict[str, Tensor]:
    """The state of this process."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore(checkpoint: Path) -> None:
    """Take up this process's state, where there are as many processes as wrote the checkpoint; else that is said."""
    states = torch.load(checkpoint / FILE, weights_only=True)
    if len(states) != processes.world_size():
        log_info(f"{len(states)} processes became {processes.world_size()}: dropout is drawn anew from here on")
        return
    state = states[processes.rank()]
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])

"""torch's random states, from which dropout is drawn: one per process, saved in each checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bertsmith.runtime import processes
from bertsmith.runtime.console import log_info

FILE = "random_states.pt"


def current() -> dict[str, Tensor]:
    """Return the random state of this process."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore(checkpoint: Path) -> None:
    """Restore the random state of this process; log a note if the number of processes has changed."""
    states = torch.load(checkpoint / FILE, weights_only=True)
    if len(states) != processes.world_size():
        log_info(
            f"the run had {len(states)} processes and now has {processes.world_size()}: dropout differs from here on"
        )
        return
    state = states[processes.rank()]
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])

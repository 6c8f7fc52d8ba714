"""The processes of one run: the rank of this one, and values that they exchange.

`torchrun` and `accelerate launch` start one process per device and set its rank in the environment. With a single
process every function here does nothing and costs nothing.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others, for example while the first one writes a checkpoint or a report."""


def world_size() -> int:
    """Return the number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_world_size() -> int:
    """Return the number of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Return whether this is the first process, which writes files and messages."""
    return rank() == 0


def join_process_group() -> None:
    """Join the process group; with GPUs each process takes that of its local rank."""
    if world_size() == 1:
        return
    import torch
    import torch.distributed as dist

    if dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("cpu:gloo,cuda:nccl", timeout=PATIENCE)
    else:
        dist.init_process_group("gloo", timeout=PATIENCE)
        atexit.register(_leave)


def _leave() -> None:
    """End the threads of gloo, which otherwise sometimes abort the interpreter at its exit."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for all processes."""
    if world_size() > 1:
        import torch.distributed as dist

        dist.barrier()


def broadcast_object(value: Any) -> Any:
    """Return the value of the first process; any object that can be pickled."""
    if world_size() == 1:
        return value
    import torch.distributed as dist

    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def gather_objects(value: Any) -> list[Any]:
    """Return the values of all processes, in order; any objects that can be pickled."""
    if world_size() == 1:
        return [value]
    import torch.distributed as dist

    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def all_reduce_sum(values: Sequence[float]) -> list[float]:
    """Return the sums over all processes, in double precision."""
    return _reduce(values, "SUM")


def all_reduce_max(values: Sequence[float]) -> list[float]:
    """Return the largest values over all processes, in double precision."""
    return _reduce(values, "MAX")


def _reduce(values: Sequence[float], operation: str) -> list[float]:
    if world_size() == 1:
        return list(values)
    import torch
    import torch.distributed as dist

    tensor = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(tensor, op=getattr(dist.ReduceOp, operation))
    reduced: list[float] = tensor.tolist()
    return reduced

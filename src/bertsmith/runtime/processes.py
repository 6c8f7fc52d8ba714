"""The processes of one run: who this one is, and what they agree on.

`torchrun` and `accelerate launch` start a process a device and say in the environment which one each is. Alone,
every function here does nothing and costs nothing.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

PATIENCE = timedelta(hours=2)
"""How long a process waits for another one; the first writes a checkpoint or a report meanwhile."""


def world_size() -> int:
    """The number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_world_size() -> int:
    """The number of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process talks and writes."""
    return rank() == 0


def join_process_group() -> None:
    """Meet the other processes; on a GPU each takes the one of its local rank."""
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
    """End the threads of gloo: at the end of the interpreter they abort it now and then, after all work is done."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for all processes."""
    if world_size() > 1:
        import torch.distributed as dist

        dist.barrier()


def broadcast_object(value: Any) -> Any:
    """What the first process holds; any object that pickle takes."""
    if world_size() == 1:
        return value
    import torch.distributed as dist

    held = [value]
    dist.broadcast_object_list(held, src=0)
    return held[0]


def gather_objects(value: Any) -> list[Any]:
    """What each process holds, in their order; any object that pickle takes."""
    if world_size() == 1:
        return [value]
    import torch.distributed as dist

    held: list[Any] = [None] * world_size()
    dist.all_gather_object(held, value)
    return held


def all_reduce_sum(values: Sequence[float]) -> list[float]:
    """The sums over all processes, in double precision."""
    return _reduced(values, "SUM")


def all_reduce_max(values: Sequence[float]) -> list[float]:
    """The largest values over all processes, in double precision."""
    return _reduced(values, "MAX")


def _reduced(values: Sequence[float], operation: str) -> list[float]:
    if world_size() == 1:
        return list(values)
    import torch
    import torch.distributed as dist

    tensor = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(tensor, op=getattr(dist.ReduceOp, operation))
    reduced: list[float] = tensor.tolist()
    return reduced

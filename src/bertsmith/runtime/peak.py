"""What a device can do at most: floating point operations a second, and memory that is free."""

from __future__ import annotations

import time
from pathlib import Path

PRODUCTS = ((2048, 1024, 2048), (4096, 768, 3072), (4096, 3072, 768))
"""Matrix products (rows, inner, columns) of the sizes that a training step is made of: the best of them counts."""

CGROUPS = Path("/sys/fs/cgroup")
PROCESS_CGROUPS = Path("/proc/self/cgroup")


def matmul_peak(precision: str, device: str, *, seconds: float = 0.25) -> float:
    """The floating point operations a second (2 a multiply-add) of the best of several matrix products, measured.

    Args:
        precision: `bf16` (the operands are bfloat16) or `fp32` (with torch's setting for TF32 on CUDA, off by default).
        seconds: what is spent in all; each product runs at least twice, the first time unmeasured.

    torch's random state is neither read nor changed, and its number of threads is the one set.
    """
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    best = 0.0
    draw = torch.Generator(device).manual_seed(0)  # numbers that are all alike take less power and run faster
    for rows, inner, columns in PRODUCTS:
        with torch.inference_mode():
            left = torch.empty(rows, inner, dtype=dtype, device=device).normal_(generator=draw)
            right = torch.empty(inner, columns, dtype=dtype, device=device).normal_(generator=draw)
            out = torch.empty(rows, columns, dtype=dtype, device=device)
            shortest, end = float("inf"), time.perf_counter() + seconds / len(PRODUCTS)
            torch.mm(left, right, out=out)
            _synchronize(device)
            while shortest == float("inf") or time.perf_counter() < end:
                start = time.perf_counter()
                torch.mm(left, right, out=out)
                _synchronize(device)
                shortest = min(shortest, time.perf_counter() - start)
        best = max(best, 2.0 * rows * inner * columns / shortest)
    return best


def _synchronize(device: str) -> None:
    """Wait until the device has computed what it was given."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def free_memory(device: str, *, cgroups: Path = CGROUPS, process: Path = PROCESS_CGROUPS) -> int:
    """The bytes that this process may still take: of the GPU, or of the machine and of every limit of its cgroups.

    Args:
        cgroups: where the cgroup file systems are mounted.
        process: the file that says which cgroups this process is in.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return min([int(psutil.virtual_memory().available), *_cgroup_rooms(cgroups, process)])


def _cgroup_rooms(cgroups: Path, process: Path) -> list[int]:
    """The bytes left under each memory limit above this process (cgroups(7); file cache counts as free)."""
    try:
        lines = process.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    rooms: list[int] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            found = _rooms(cgroups, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = cgroups / "memory"
            found = _rooms(root, path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        rooms += found
    return rooms


def _rooms(root: Path, path: str, limit_name: str, usage_name: str, cache_name: str) -> list[int]:
    """The room in a group and in each group above it up to the root, for those that have a limit.

    In a container the path may be the host's and not be mounted; the root is then the container's own group.
    """
    below = [] if ".." in path.split("/") else [name for name in path.split("/") if name]
    rooms: list[int] = []
    for depth in range(len(below), -1, -1):
        group = root.joinpath(*below[:depth])
        limit, usage = _number(group / limit_name), _number(group / usage_name)
        if limit is not None and usage is not None:
            rooms.append(max(0, limit - usage + _statistic(group / "memory.stat", cache_name)))
    return rooms


def _number(file: Path) -> int | None:
    """The number in a file; None where there is none (`max`, or no file)."""
    try:
        return int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _statistic(file: Path, name: str) -> int:
    """A value of memory.stat in bytes; 0 where it is not told."""
    try:
        words = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return 0
    return next((int(pair[1]) for pair in words if len(pair) == 2 and pair[0] == name and pair[1].isdigit()), 0)

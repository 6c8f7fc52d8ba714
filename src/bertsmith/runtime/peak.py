"""Limits of a device: floating point operations per second, and free memory."""

from __future__ import annotations

import time
from pathlib import Path

PRODUCTS = ((2048, 1024, 2048), (4096, 768, 3072), (4096, 3072, 768))
"""Matrix products (rows, inner, columns) of the sizes in a training step; the fastest one is the peak."""

CGROUPS = Path("/sys/fs/cgroup")
PROCESS_CGROUPS = Path("/proc/self/cgroup")


def matmul_peak(precision: str, device: str, *, seconds: float = 0.25) -> float:
    """Measure the floating point operations per second of the fastest of several matrix products.

    A multiply-add is 2 operations. The random state of torch is not changed, and its number of threads is used.

    Args:
        precision: `bf16` (the operands are bfloat16) or `fp32` (with torch's setting for TF32 on CUDA, off by default).
        seconds: the total time to spend; each product runs at least twice, the first time unmeasured.
    """
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    best = 0.0
    draw = torch.Generator(device).manual_seed(0)  # constant numbers take less power and run faster
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
    """Wait until the device has finished."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def free_memory(device: str, *, cgroups: Path = CGROUPS, process: Path = PROCESS_CGROUPS) -> int:
    """Return the bytes that this process may still use: free on the GPU, or on the machine within its cgroups' limits.

    Args:
        cgroups: the mount point of the cgroup file systems.
        process: the file that lists the cgroups of this process.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return min([int(psutil.virtual_memory().available), *_cgroup_free(cgroups, process)])


def _cgroup_free(cgroups: Path, process: Path) -> list[int]:
    """Return the bytes left under each memory limit of this process (cgroups(7)); file cache counts as free."""
    try:
        lines = process.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    free: list[int] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            found = _free_in_groups(cgroups, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = cgroups / "memory"
            found = _free_in_groups(root, path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        free += found
    return free


def _free_in_groups(root: Path, path: str, limit_name: str, usage_name: str, cache_name: str) -> list[int]:
    """Return the bytes left in a group and in each group above it up to the root, if it has a limit.

    In a container the path may be that of the host and not be mounted; the root is then the group of the container.
    """
    below = [] if ".." in path.split("/") else [name for name in path.split("/") if name]
    free: list[int] = []
    for depth in range(len(below), -1, -1):
        group = root.joinpath(*below[:depth])
        limit, usage = _number(group / limit_name), _number(group / usage_name)
        if limit is not None and usage is not None:
            free.append(max(0, limit - usage + _statistic(group / "memory.stat", cache_name)))
    return free


def _number(file: Path) -> int | None:
    """Return the number in a file; None if there is none (`max`, or no file)."""
    try:
        return int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _statistic(file: Path, name: str) -> int:
    """Return a value of memory.stat in bytes; 0 if it is missing."""
    try:
        words = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return 0
    return next((int(pair[1]) for pair in words if len(pair) == 2 and pair[0] == name and pair[1].isdigit()), 0)

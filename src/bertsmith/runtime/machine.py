"""Facts of this machine and the automatic choices that follow: device, threads, precision, allocator, attention.

Each choice has a reason. `bertsmith doctor`, `--verbose`, run.json and the report show it. Choices follow from facts
such as cores and instruction sets, never from timings, so that the same machine and options always choose the same.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from bertsmith.runtime import processes

VERSIONED = ("bertsmith", "torch", "transformers", "tokenizers", "datasets", "accelerate", "numpy", "pyarrow")


@dataclass(frozen=True)
class AutomaticChoice:
    """An automatic choice: its name, the value chosen, and why."""

    name: str
    value: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"name": self.name, "value": self.value, "reason": self.reason}


def machine_summary(choices: Iterable[AutomaticChoice]) -> str:
    """Name device, threads or processes, and precision among these choices: `on the CPU, 2 threads, bf16`."""
    values = {choice.name: choice.value for choice in choices}
    count = processes.world_size()
    if values.get("device") == "cuda":
        import torch

        place = f"on {torch.cuda.get_device_name()}" + (f", {count} processes" if count > 1 else "")
    else:
        threads = "1 thread" if values["threads"] == "1" else f"{values['threads']} threads"
        place = "on the CPU, " + (f"{count} processes of {threads}" if count > 1 else threads)
    return f"{place}, {values['precision']}"


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Return facts about the machine, without names of hosts, users or paths."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "processor": _processor_name(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _processor_name() -> str:
    if sys.platform.startswith("linux"):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def choose_device() -> AutomaticChoice:
    """Choose CUDA if torch finds a GPU, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return AutomaticChoice("device", "cuda", f"torch finds {torch.cuda.get_device_name(0)}")
    return AutomaticChoice("device", "cpu", "torch finds no CUDA device")


def choose_precision(asked: str, device: str) -> AutomaticChoice:
    """Choose `bf16` if the hardware multiplies it natively, else `fp32`, unless the user asked for one.

    Without such instructions bfloat16 is emulated, which is many times slower than float32.
    """
    import torch

    if asked != "auto":
        return AutomaticChoice("precision", asked, "given by --precision")
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return AutomaticChoice("precision", "bf16", "the GPU multiplies bfloat16 natively")
        return AutomaticChoice("precision", "fp32", "the GPU has no native bfloat16")
    flags = {
        "AMX-BF16": torch.cpu._is_amx_tile_supported(),
        "AVX512-BF16": torch.cpu._is_avx512_bf16_supported(),
    }
    having = [name for name, present in flags.items() if present]
    if having:
        return AutomaticChoice("precision", "bf16", f"the processor has {' and '.join(having)}")
    return AutomaticChoice("precision", "fp32", "the processor has no bfloat16 instructions (AVX512-BF16, AMX)")


def choose_attention(asked: str, device: str) -> AutomaticChoice:
    """Choose the implementation of attention for training.

    On the CPU the bfloat16 backward pass of `scaled_dot_product_attention` takes several times longer than two batched
    products and a softmax.
    """
    if asked != "auto":
        return AutomaticChoice("attention", asked, "given by --attention")
    if device == "cuda":
        return AutomaticChoice("attention", "sdpa", "fused attention on the GPU")
    return AutomaticChoice(
        "attention",
        "eager",
        "on the CPU two batched matrix products are faster than the backward pass of fused attention",
    )


def requested_threads() -> int | None:
    """Return OMP_NUM_THREADS; None if it is not set, or is the 1 that torchrun gives each of several processes."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    asked = int(first) if first.isdecimal() else 0
    return asked if asked > 1 or (asked == 1 and processes.local_world_size() == 1) else None


def choose_threads() -> AutomaticChoice:
    """Choose OMP_NUM_THREADS if it is set, else one thread per core that this process may use.

    torch's own default also counts hyper-threads that the process may not use.
    """
    asked, sharing = requested_threads(), processes.local_world_size()
    if asked is not None:
        return AutomaticChoice("threads", str(asked), f"OMP_NUM_THREADS is {asked}")
    if sharing > 1:
        return AutomaticChoice(
            "threads", str(max(1, cores() // sharing)), f"{cores()} cores shared by {sharing} processes"
        )
    return AutomaticChoice("threads", str(cores()), "one per core that this process may use")


MICRO_BATCH_THREADS = 2
"""More have not been measured: the machine had two cores."""


def choose_micro_batch_threads(device: str, *, examples: int, obstacle: str | None) -> AutomaticChoice:
    """Choose how many micro-batches are computed in parallel threads; run.json names the choice `streams`.

    Args:
        examples: the examples of an update in this process.
        obstacle: why micro-batches cannot be computed in parallel, None if they can.
    """
    if device != "cpu":
        return AutomaticChoice("streams", "1", "a GPU computes a batch as a whole")
    if obstacle is not None:
        return AutomaticChoice("streams", "1", obstacle)
    if processes.world_size() > 1 or (requested_threads() or cores()) < MICRO_BATCH_THREADS:
        return AutomaticChoice("streams", "1", "there is one core or thread, or several processes share the cores")
    if examples < MICRO_BATCH_THREADS:
        return AutomaticChoice("streams", "1", "an update has one example")
    return AutomaticChoice(
        "streams", str(MICRO_BATCH_THREADS), "cores that work on different examples do not wait for each other"
    )


_M_MMAP_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD, _M_TOP_PAD, _M_ARENA_MAX = -4, -3, -1, -2, -8
_MAPS, _MAPPED_FROM = 65_536, 64 * 2**10
"""The most blocks that glibc maps individually (its default), and the least size of such a block in bytes."""


def _mallopt() -> Any | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return None


def as_started(choice: AutomaticChoice, started: object | None) -> AutomaticChoice:
    """Return the choice that a resumed run started with, so that it ends as an uninterrupted run does."""
    if started is None or str(started) == choice.value:
        return choice
    return AutomaticChoice(choice.name, str(started), "as when the run started")


def choose_allocator(*, save_memory: bool = False) -> AutomaticChoice:
    """Choose whether glibc keeps freed memory, or returns it at once because memory is short."""
    if any("malloc" in part for part in os.environ.get("LD_PRELOAD", "").split(":")):
        return AutomaticChoice("allocator", "preloaded", "LD_PRELOAD names an allocator")
    if _mallopt() is None:
        return AutomaticChoice("allocator", "system", "this system has no mallopt, a function of glibc")
    if save_memory:
        return AutomaticChoice(
            "allocator",
            "return",
            "large blocks are returned when they are freed: slower, but no memory is wasted in gaps",
        )
    return AutomaticChoice(
        "allocator",
        "keep",
        "if glibc maps large blocks again on every call, page faults take longer than the arithmetic",
    )


def prepare_process(*, save_memory: bool = False) -> list[AutomaticChoice]:
    """Set threads and allocator of this process, before its first large tensor; return both choices.

    With `keep`, glibc serves large tensors from its heap and never shrinks it. Memory stays at its peak until the
    process ends, but a training step takes little more than half as long (docs/architecture.md). With `save_memory`
    large blocks are mapped individually and returned when they are freed.
    """
    import torch

    threads, allocator = choose_threads(), choose_allocator(save_memory=save_memory)
    torch.set_num_threads(int(threads.value))
    mallopt = _mallopt()
    if allocator.value == "return" and mallopt is not None:
        mallopt(_M_MMAP_MAX, _MAPS)
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
    if allocator.value == "keep" and mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 * 2**20)
        mallopt(_M_ARENA_MAX, 1)  # memory that one thread frees is used by the other
    return [threads, allocator]

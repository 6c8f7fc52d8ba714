"""What this machine is, and the automatic choices that follow: device, threads, precision, allocator, attention.

Each choice comes with its reason, is printed by `bertsmith doctor` and kept in `run.json`. What can be known (cores,
instruction sets) is looked up, never timed, so that the same machine and options choose the same every time.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from bertsmith.runtime import processes

VERSIONED = ("bertsmith", "torch", "transformers", "tokenizers", "datasets", "accelerate", "numpy", "pyarrow")


@dataclass(frozen=True)
class AutomaticChoice:
    """An automatic choice: what was chosen, and why."""

    name: str
    value: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """The JSON form."""
        return {"name": self.name, "value": self.value, "reason": self.reason}


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Facts about the machine, without names of hosts, users or paths."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "processor": _processor_name(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def versions() -> dict[str, str]:
    """The versions of what a result depends on."""
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
    """CUDA where torch sees it, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return AutomaticChoice("device", "cuda", f"torch sees {torch.cuda.get_device_name(0)}")
    return AutomaticChoice("device", "cpu", "torch sees no CUDA device")


def choose_precision(asked: str, device: str) -> AutomaticChoice:
    """`bf16` where the hardware multiplies it natively, else `fp32`; what was asked for otherwise.

    bfloat16 without the instructions is emulated and slower than float32 by a large factor.
    """
    import torch

    if asked != "auto":
        return AutomaticChoice("precision", asked, "asked for with --precision")
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
    """The implementation of attention that is trained with.

    On the CPU the bfloat16 backward pass of `scaled_dot_product_attention` is several times slower than two batched
    products and a softmax.
    """
    if asked != "auto":
        return AutomaticChoice("attention", asked, "asked for with --attention")
    if device == "cuda":
        return AutomaticChoice("attention", "sdpa", "fused attention on the GPU")
    return AutomaticChoice(
        "attention",
        "eager",
        "on the CPU two batched products are faster than the fused kernel's backward pass",
    )


def requested_threads() -> int | None:
    """What OMP_NUM_THREADS says; None where it says nothing, or a 1 that torchrun gives each of several processes."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    asked = int(first) if first.isdecimal() else 0
    return asked if asked > 1 or (asked == 1 and processes.local_world_size() == 1) else None


def choose_threads() -> AutomaticChoice:
    """What OMP_NUM_THREADS says, else one thread a core that this process may use (torch's own count includes
    hyper-threads it may not).
    """
    asked, sharing = requested_threads(), processes.local_world_size()
    if asked is not None:
        return AutomaticChoice("threads", str(asked), f"OMP_NUM_THREADS is {asked}")
    if sharing > 1:
        return AutomaticChoice(
            "threads", str(max(1, cores() // sharing)), f"{cores()} cores for {sharing} processes here"
        )
    return AutomaticChoice("threads", str(cores()), "one a core that this process may use")


STREAMS = 2
"""More were not measured: the machine had two cores."""


def choose_streams(device: str, *, examples: int, whole: str | None) -> AutomaticChoice:
    """How many micro-batches are computed side by side.

    Args:
        examples: in an update of this process.
        whole: why the step has to be computed as a whole, None where it does not.
    """
    if device != "cpu":
        return AutomaticChoice("streams", "1", "a GPU computes a batch as a whole")
    if whole is not None:
        return AutomaticChoice("streams", "1", whole)
    if processes.world_size() > 1 or (requested_threads() or cores()) < STREAMS:
        return AutomaticChoice("streams", "1", "one core or thread, or several processes that divide the cores")
    if examples < STREAMS:
        return AutomaticChoice("streams", "1", "an update is one example")
    return AutomaticChoice(
        "streams", str(STREAMS), "cores that compute examples of their own do not wait for each other"
    )


_M_MMAP_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD, _M_TOP_PAD, _M_ARENA_MAX = -4, -3, -1, -2, -8
_MAPS, _MAPPED_FROM = 65_536, 64 * 2**10
"""How many blocks glibc maps by themselves at most (its default), and from how many bytes on."""


def _mallopt() -> Any | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return None


def as_started(choice: AutomaticChoice, started: object | None) -> AutomaticChoice:
    """What a run that goes on began with, whatever the machine says now: it ends as an unbroken one."""
    if started is None or str(started) == choice.value:
        return choice
    return AutomaticChoice(choice.name, str(started), "as the run was started")


def choose_allocator(*, save_memory: bool = False) -> AutomaticChoice:
    """Whether glibc is told to keep freed memory, or to give it back at once where memory is what is short."""
    if any("malloc" in part for part in os.environ.get("LD_PRELOAD", "").split(":")):
        return AutomaticChoice("allocator", "preloaded", "LD_PRELOAD names an allocator")
    if _mallopt() is None:
        return AutomaticChoice("allocator", "system", "mallopt is glibc's and is not here")
    if save_memory:
        return AutomaticChoice(
            "allocator", "return", "large blocks go back when they are freed: slower, and no holes are held"
        )
    return AutomaticChoice(
        "allocator",
        "keep",
        "glibc maps large blocks afresh on every call; page faults cost more than the arithmetic",
    )


def prepare_process(*, save_memory: bool = False) -> list[AutomaticChoice]:
    """Apply threads and allocator to this process, before its first large tensor; returns the choices.

    With `keep`, glibc serves large tensors from its heap and does not give the heap back: memory stays at its peak
    until the process ends, and a training step takes little more than half of its time (docs/architecture.md). With
    `save_memory` large blocks are mapped by themselves and given back.
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
        mallopt(_M_ARENA_MAX, 1)  # what one stream frees the other takes
    return [threads, allocator]

"""The engines of `prepare`: the independent tasks of a stage, in processes of this machine, on Ray or on Slurm.

A task is a function of a module, `task(folder, number)`. It reads what it needs below the work folder, writes its
outputs there, each whole or not at all, and last its marker `folder/STAGE/NNNNN.json`. A task whose marker is there is
done and never run again, so whatever was killed, the next call goes on with what is missing. All state is on the disk:
an engine hands out numbers and nothing else, and every engine makes the same files.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from types import FrameType
from typing import Literal

from bertsmith.config.extras import require_extra
from bertsmith.corpus.engine.local import run_in_processes
from bertsmith.corpus.engine.slurm_options import slurm_options
from bertsmith.corpus.engine.stage import Stage, Task, marker
from bertsmith.errors import Interrupted, OptionError

__all__ = ["Engine", "Task", "check_engine", "marker", "run_tasks"]

ADVANCE_SECONDS = 0.2


@dataclass(frozen=True)
class Engine:
    """Where tasks run, and how many at a time.

    `address` is for a cluster. Ray: "auto" (the default: RAY_ADDRESS, or the cluster that runs on this machine),
    "HOST:PORT" or "ray://HOST:PORT". Slurm: a partition, or options of sbatch, "partition=cpu,time=04:00:00,mem=4G".
    """

    name: Literal["local", "ray", "slurm"] = "local"
    workers: int = 1
    address: str | None = None


def check_engine(engine: Engine) -> None:
    """Raise OptionError where the engine cannot be used from here; connects to nothing."""
    if engine.workers < 1:
        raise OptionError(f"--workers {engine.workers}: expected 1 or more")
    if engine.name == "local":
        if engine.address is not None:
            raise OptionError(
                f"--engine-address {engine.address}: only --engine ray and --engine slurm have an address"
            )
        return
    for package in ("datatrove", "ray") if engine.name == "ray" else ("datatrove",):
        require_extra("cluster", f"--engine {engine.name}", package)
    if engine.name == "slurm":
        slurm_options(engine.address)
        for program in ("sbatch", "squeue", "scancel"):
            if which(program) is None:
                raise OptionError(f"--engine slurm: {program} is not on this machine; start from a node that has it")
        try:
            asked = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            raise OptionError("--engine slurm: squeue gives no answer within 30 s; is slurmctld running?") from None
        if asked.returncode:
            raise OptionError(f"--engine slurm: squeue fails here: {asked.stderr.strip()[:200]}")


def run_tasks(
    engine: Engine, stage: str, task: Task, folder: Path, count: int, advance: Callable[[int, int], None]
) -> None:
    """Run the tasks of a stage that have no marker yet.

    `advance(done, total)` is called as tasks are finished, at most 5 times a second, and at the end. The first
    exception of a task ends the stage and is raised here. Raises ResourceError where a worker is killed (local) or
    tasks stay without a marker after several rounds (Ray, Slurm), Interrupted at SIGTERM.
    """
    check_engine(engine)
    work = Stage(folder.absolute(), stage, task, count)
    work.begin()
    told = _at_most_often(advance)
    missing = work.missing()
    told(count - len(missing), count)
    if not missing:
        return
    with _stopped_by_sigterm():
        if engine.name != "local":
            from bertsmith.corpus.engine.cluster import run_on_cluster

            run_on_cluster(engine.name, engine.workers, engine.address, work, told)
        elif engine.workers == 1 or len(missing) == 1:
            for place, number in enumerate(missing, start=1):
                work.run(number)
                told(count - len(missing) + place, count)
        else:
            run_in_processes(work, missing, engine.workers, told)


def _at_most_often(advance: Callable[[int, int], None]) -> Callable[[int, int], None]:
    said_at, said = float("-inf"), -1

    def told(done: int, total: int) -> None:
        nonlocal said_at, said
        now = time.monotonic()
        if done != said and (done == total or now - said_at >= ADVANCE_SECONDS):
            said_at, said = now, done
            advance(done, total)

    return told


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM raises Interrupted, so that workers are ended and jobs cancelled, unless the caller handles it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted("stopped by SIGTERM; finished tasks are kept, --resume goes on")

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

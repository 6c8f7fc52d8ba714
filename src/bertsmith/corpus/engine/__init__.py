"""The engines of `prepare`: the independent tasks of a stage, in processes of this machine, on Ray or on Slurm.

A task is a function of a module, `task(folder, number)`. It reads what it needs below the work folder, writes its
outputs there, each whole or not at all, and last its marker `folder/STAGE/NNNNN.json`. A task whose marker is there is
done and never run again, so whatever was killed, the next call runs the missing tasks. All state is on the disk:
an engine hands out numbers and nothing else, and every engine makes the same files.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bertsmith.corpus.engine.local import run_in_processes
from bertsmith.corpus.engine.settings import Engine, check_engine
from bertsmith.corpus.engine.stage import Task, TaskStage, completion_marker
from bertsmith.errors import Interrupted

__all__ = ["Engine", "Task", "check_engine", "completion_marker", "run_tasks"]

ADVANCE_SECONDS = 0.2


def run_tasks(
    engine: Engine, stage: str, task: Task, *, folder: Path, count: int, advance: Callable[[int, int], None]
) -> None:
    """Run the tasks of a stage that have no marker yet.

    `advance(done, total)` is called as tasks are finished, at most 5 times a second, and at the end. The first
    exception of a task ends the stage and is raised here. Raises ResourceError where a worker is killed (local) or
    tasks stay without a marker after several rounds (Ray, Slurm), Interrupted at SIGTERM.
    """
    check_engine(engine)
    work = TaskStage(folder.absolute(), stage, task, count)
    work.begin()
    report = _throttled(advance)
    missing = work.missing()
    report(count - len(missing), count)
    if not missing:
        return
    with _stopped_by_sigterm():
        if engine.name != "local":
            from bertsmith.corpus.engine.cluster import run_on_cluster

            run_on_cluster(engine, work, report)
        elif engine.workers == 1 or len(missing) == 1:
            for place, number in enumerate(missing, start=1):
                work.run(number)
                report(count - len(missing) + place, count)
        else:
            run_in_processes(work, missing, advance=report, workers=engine.workers)


def _throttled(advance: Callable[[int, int], None]) -> Callable[[int, int], None]:
    reported_at, reported = float("-inf"), -1

    def report(done: int, total: int) -> None:
        nonlocal reported_at, reported
        now = time.monotonic()
        if done != reported and (done == total or now - reported_at >= ADVANCE_SECONDS):
            reported_at, reported = now, done
            advance(done, total)

    return report


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

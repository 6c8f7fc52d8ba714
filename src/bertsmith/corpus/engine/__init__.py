"""The engines of `prepare`: run the independent tasks of a stage in local processes, on Ray or on Slurm.

A task is a module-level function, `task(folder, number)`. It reads its inputs from the work folder, writes its outputs
there atomically, and writes its completion marker `folder/STAGE/NNNNN.json` last. A task with a marker never runs
again, so after any interruption the next call runs only the missing tasks. All state is on disk: an engine only assigns
task numbers, and every engine produces the same files.
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
from bertsmith.corpus.engine.stage import StageTask, TaskStage, completion_marker
from bertsmith.errors import Interrupted

__all__ = ["Engine", "StageTask", "check_engine", "completion_marker", "run_tasks"]

ADVANCE_SECONDS = 0.2


def run_tasks(
    engine: Engine, stage: str, task: StageTask, *, folder: Path, count: int, advance: Callable[[int, int], None]
) -> None:
    """Run the tasks of a stage that have no completion marker yet.

    `advance(done, total)` is called as tasks finish, at most 5 times per second, and at the end. The first exception of
    a task ends the stage and is raised here. Raises ResourceError if a worker is killed (local) or if tasks have no
    marker after several rounds (Ray, Slurm), and Interrupted at SIGTERM.
    """
    check_engine(engine)
    tasks = TaskStage(folder.absolute(), stage, task, count)
    tasks.begin()
    report = _throttled(advance)
    missing = tasks.missing()
    report(count - len(missing), count)
    if not missing:
        return
    with _stopped_by_sigterm():
        if engine.name != "local":
            from bertsmith.corpus.engine.cluster import run_on_cluster

            run_on_cluster(engine, tasks, report)
        elif engine.workers == 1 or len(missing) == 1:
            for completed, number in enumerate(missing, start=1):
                tasks.run(number)
                report(count - len(missing) + completed, count)
        else:
            run_in_processes(tasks, missing, advance=report, workers=engine.workers)


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
    """Raise Interrupted at SIGTERM, to end workers and cancel jobs, unless the caller handles SIGTERM."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted("stopped by SIGTERM; finished tasks are kept. Try: the same command with --resume")

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

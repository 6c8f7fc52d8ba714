"""Tasks in processes of this machine.

Each worker process receives a task number and answers with nothing or an exception. The parent waits on the pipes
without threads and kills every worker when it leaves; workers hold no state that could be lost. A worker is also killed
when its parent is, so that it cannot write while a resumed run does.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess

from bertsmith.corpus.engine.stage import ONE_CORE, TaskStage, use_one_core
from bertsmith.errors import BertsmithError, ResourceError

PR_SET_PDEATHSIG = 1
"""linux/prctl.h: the signal that a process gets when its parent ends."""

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def run_in_processes(
    stage: TaskStage, numbers: list[int], *, workers: int, advance: Callable[[int, int], None]
) -> None:
    """Run tasks in order, `workers` at a time; the first exception ends the others and is raised."""
    done = stage.count - len(numbers)
    waiting = iter(numbers)
    processes: list[BaseProcess] = []
    busy: dict[Connection, int] = {}
    try:
        with _forking():
            for _ in range(min(workers, len(numbers))):
                connection = _start(stage, processes)
                busy[connection] = _send(connection, next(waiting))
        while busy:
            for connection in [ready for ready in wait(list(busy)) if isinstance(ready, Connection)]:
                number = busy.pop(connection)
                try:
                    problem = connection.recv()
                except (EOFError, ConnectionError):
                    raise ResourceError(
                        f"{stage.name}: a worker process was killed during task {number}, probably because memory ran "
                        "out. Finished tasks are kept. Try: fewer --workers, with --resume"
                    ) from None
                if problem is not None:
                    raise problem
                following = next(waiting, None)
                if following is not None:
                    busy[connection] = _send(connection, following)
                done += 1
                advance(done, stage.count)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


def exit_with_parent(parent: int) -> None:
    """Make sure that this process is killed when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # the parent ended before the lines above
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextmanager
def _forking() -> Iterator[None]:
    """Set the environment for a fork: tokenizers checks its variable then, and warns."""
    before = {name: os.environ.get(name) for name in ONE_CORE}
    os.environ.update(ONE_CORE)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start(stage: TaskStage, processes: list[BaseProcess]) -> Connection:
    """Start a worker: forked on Linux, so scripts need no main guard. Delay Control-C until the worker is listed."""
    context: ForkContext | SpawnContext
    context = multiprocessing.get_context("fork") if sys.platform == "linux" else multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, stage, os.getpid()), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        process.start()
        processes.append(process)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()  # so that our end notices when the worker's end closes
    return ours


def _send(connection: Connection, number: int) -> int:
    """Send a task to a worker; a dead worker is noticed when its answer is read."""
    with suppress(ConnectionError):
        connection.send(number)
    return number


def _work(connection: Connection, stage: TaskStage, parent: int) -> None:
    """Run a worker. It ignores Control-C, which the parent handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    exit_with_parent(parent)
    use_one_core()
    # A task creates millions of objects without cycles: looking for cycles would cost a tenth of its time.
    gc.freeze()
    gc.disable()
    while True:
        gc.collect(0)
        number = connection.recv()
        problem: Exception | None = None
        try:
            stage.run(number)
        except Exception as error:  # noqa: BLE001 (the parent raises it)
            problem = _portable(error)
        connection.send(problem)


def _portable(error: Exception) -> Exception:
    """Return the exception if it is ours or Python's and can be pickled; otherwise an exception with its text."""
    if type(error).__module__ == BertsmithError.__module__:
        return error
    trace = "".join(traceback.format_exception(error)).rstrip()
    if type(error).__module__ != "builtins" or isinstance(error, UnicodeError):
        return BertsmithError(trace)
    error.add_note(f"in a worker process:\n{trace}")
    return error

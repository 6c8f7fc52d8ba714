"""Tasks on Ray or Slurm: rounds of datatrove's executors until every task has its marker.

datatrove and Ray log, warn, start threads and read the environment, so they live in a process of their own (driver.py),
which this one watches together with the markers. Only our markers say what is done; each round is given the
tasks that are missing, and its logs are in `folder/logs/STAGE/round-N`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bertsmith.corpus.engine.settings import Engine
from bertsmith.corpus.engine.stage import ONE_CORE, TaskStage, raise_from
from bertsmith.corpus.engine.task_round import ERROR_FILE, LOG_FILE, ROUND_FILE, TaskRound
from bertsmith.errors import ResourceError
from bertsmith.runtime.files import disk_errors, write_json

ROUNDS = 3
MARKER_TIMEOUT_SECONDS = 5.0
"""How long a marker may be seen here after its task has ended elsewhere (attributes are cached by NFS), and how long
the executor has to end after the last marker."""
QUEUE_SECONDS = 2.0
QUEUE_TIMEOUT_SECONDS = 300.0
CANCEL_SECONDS = 120.0


def run_on_cluster(engine: Engine, stage: TaskStage, advance: Callable[[int, int], None]) -> None:
    """Run the missing tasks. Raises the error of a task, or ResourceError with the tasks missing after 3 rounds."""
    jobs = SlurmJobs(_job_name(stage)) if engine.name == "slurm" else None
    if jobs is not None:
        jobs.cancel_and_wait()  # those of a run that was killed
    shutil.rmtree(stage.logs, ignore_errors=True)
    where: dict[int, Path] = {}
    for attempt in range(1, ROUNDS + 1):
        missing = stage.missing()
        logs = stage.logs / f"round-{attempt}"
        task_round = TaskRound(
            engine=engine.name,
            address=engine.address,
            workers=engine.workers,
            job_name=_job_name(stage),
            folder=str(stage.folder),
            stage=stage.name,
            task=_name_of(stage),
            count=stage.count,
            numbers=missing,
            logs=str(logs),
        )
        where = {number: logs / "logs" / f"task_{rank:05d}.log" for rank, number in enumerate(missing)}
        with _driver(task_round) as driver, _cancelled(jobs):
            _watch(driver, stage, advance, jobs=jobs, logs=logs)
        if _wait_for_markers(stage, advance):
            return
    missing = stage.missing()
    listed = ", ".join(f"{number} ({where[number]})" for number in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    raise ResourceError(
        f"{stage.name}: {len(missing)} of {stage.count} tasks have not ended after {ROUNDS} rounds on {engine.name}: "
        f"{listed}{more}; all logs are in {stage.logs}. Look there for memory and time limits, and whether every node "
        f"has {stage.folder} and this Python environment. Finished tasks are kept: --resume goes on."
    )


def _watch(
    driver: subprocess.Popen[bytes],
    stage: TaskStage,
    advance: Callable[[int, int], None],
    *,
    jobs: SlurmJobs | None,
    logs: Path,
) -> None:
    """Return when the round is over: nothing runs any more, or every task has its marker and a moment has passed."""
    complete_at: float | None = None
    while True:
        over = driver.poll() is not None and (jobs is None or not jobs.any())
        if (logs / ERROR_FILE).exists():
            raise_from(logs / ERROR_FILE)
        stage.raise_error()
        started = time.monotonic()
        missing = stage.missing()
        advance(stage.count - len(missing), stage.count)
        if not missing and complete_at is None:
            complete_at = started
        if over or (complete_at is not None and started - complete_at > MARKER_TIMEOUT_SECONDS):
            return
        # A folder of many markers takes a while to read: at most a twentieth of the time goes to that.
        time.sleep(max(0.2, 20 * (time.monotonic() - started)))


def _wait_for_markers(stage: TaskStage, advance: Callable[[int, int], None]) -> bool:
    """Whether every task has its marker, now or soon."""
    give_up = time.monotonic() + MARKER_TIMEOUT_SECONDS
    while missing := stage.missing():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.2)
    advance(stage.count - len(missing), stage.count)
    return True


@contextmanager
def _driver(task_round: TaskRound) -> Iterator[subprocess.Popen[bytes]]:
    """The process that talks to the cluster; it is gone when the context is left.

    The order has the number of this process; the driver is killed when this process is.
    """
    logs = Path(task_round.logs)
    with disk_errors(logs):
        logs.mkdir(parents=True)
    write_json(logs / ROUND_FILE, task_round.as_json() | {"parent": os.getpid()})
    # A run within a Slurm job starts its own jobs, which inherit nothing from that job.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    environment |= {key: value for key, value in os.environ.items() if key == "SLURM_CONF"}
    environment |= ONE_CORE | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_AUTO_CONNECT": "0",
        "PYTHONWARNINGS": "ignore",
    }
    with (logs / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bertsmith.corpus.engine.driver", str(logs / ROUND_FILE)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Control-C is for this process, which then ends that one
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _cancelled(jobs: SlurmJobs | None) -> Iterator[None]:
    """No job is left in the queue when the context is left, whatever happens in it."""
    try:
        yield
    finally:
        if jobs is not None:
            jobs.cancel()


class SlurmJobs:
    """The jobs of one stage of one work folder, which are known by their name: nothing has to be remembered."""

    def __init__(self, name: str) -> None:
        user = pwd.getpwuid(os.getuid()).pw_name
        self.name = name
        self._chosen = (f"--name={name}", f"--user={user}")
        self._asked = float("-inf")
        self._answered = time.monotonic()
        self._any = False

    def any(self) -> bool:
        """Whether a job is waiting or running; asks the queue every other second, as sites ask for."""
        now = time.monotonic()
        if self._any and now - self._asked < QUEUE_SECONDS:
            return True
        self._asked = now
        command = ["squeue", "--noheader", "--format=%A", *self._chosen]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            self._answered, self._any = now, bool(done.stdout.strip())
            return self._any
        if now - self._answered > QUEUE_TIMEOUT_SECONDS:
            raise ResourceError(
                f"squeue has failed for {QUEUE_TIMEOUT_SECONDS:.0f} s: {done.stderr.strip()}. --resume goes on."
            )
        return True

    def cancel(self) -> None:
        subprocess.run(["scancel", "--quiet", *self._chosen], capture_output=True, check=False)

    def cancel_and_wait(self) -> None:
        """Raises ResourceError where jobs do not end."""
        self.cancel()
        give_up = time.monotonic() + CANCEL_SECONDS
        while self.any():
            if time.monotonic() > give_up:
                raise ResourceError(
                    f"Slurm still has jobs named {self.name} of an earlier run {CANCEL_SECONDS:.0f} s after scancel; "
                    f"see squeue --name={self.name}, and --resume when they are gone."
                )
            time.sleep(0.2)


def _job_name(stage: TaskStage) -> str:
    return f"bertsmith-{stage.name}-{hashlib.blake2b(str(stage.folder).encode(), digest_size=4).hexdigest()}"


def _name_of(stage: TaskStage) -> str:
    """`module:function`, by which another node finds the task."""
    module, name = stage.task.__module__, stage.task.__qualname__
    assert module != "__main__" and "." not in name and "<" not in name, "a task is a function of a module"
    return f"{module}:{name}"

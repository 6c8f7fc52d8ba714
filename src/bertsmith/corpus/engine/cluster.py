"""Tasks on Ray or Slurm: rounds of datatrove's executors until every task has its completion marker.

datatrove and Ray log, warn, start threads and read the environment, so they run in a separate process (driver.py). This
process watches the driver and the markers. Only the markers count as done; each round runs the missing tasks, with logs
in `folder/logs/STAGE/round-N`.
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
"""Maximum delay until a marker written by another machine is visible here (NFS caches attributes), and maximum time the
executor has to end after the last marker."""
QUEUE_SECONDS = 2.0
QUEUE_TIMEOUT_SECONDS = 300.0
CANCEL_SECONDS = 120.0


def run_on_cluster(engine: Engine, stage: TaskStage, advance: Callable[[int, int], None]) -> None:
    """Run the missing tasks. Raises the error of a task, or ResourceError if tasks are missing after 3 rounds."""
    jobs = SlurmJobs(_job_name(stage)) if engine.name == "slurm" else None
    if jobs is not None:
        jobs.cancel_and_wait()  # left by a run that was killed
    shutil.rmtree(stage.logs, ignore_errors=True)
    log_files: dict[int, Path] = {}
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
        log_files = {number: logs / "logs" / f"task_{rank:05d}.log" for rank, number in enumerate(missing)}
        with _driver(task_round) as driver, _cancelled(jobs):
            _watch(driver, stage, advance, jobs=jobs, logs=logs)
        if _wait_for_markers(stage, advance):
            return
    missing = stage.missing()
    listed = ", ".join(f"{number} ({log_files[number]})" for number in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    raise ResourceError(
        f"{stage.name}: {len(missing)} of {stage.count} tasks have not finished after {ROUNDS} rounds on "
        f"{engine.name}: {listed}{more}; all logs are in {stage.logs}. Check them for memory and time limits, "
        f"and that every node has {stage.folder} and this Python environment. Finished tasks are kept. "
        "Try: the same command with --resume"
    )


def _watch(
    driver: subprocess.Popen[bytes],
    stage: TaskStage,
    advance: Callable[[int, int], None],
    *,
    jobs: SlurmJobs | None,
    logs: Path,
) -> None:
    """Wait until no job is left, or until every task has had its marker for a moment."""
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
        # Listing a folder of many markers takes time: spend at most a twentieth of the time on it.
        time.sleep(max(0.2, 20 * (time.monotonic() - started)))


def _wait_for_markers(stage: TaskStage, advance: Callable[[int, int], None]) -> bool:
    """Wait a moment for late markers; return whether every task has one."""
    give_up = time.monotonic() + MARKER_TIMEOUT_SECONDS
    while missing := stage.missing():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.2)
    advance(stage.count - len(missing), stage.count)
    return True


@contextmanager
def _driver(task_round: TaskRound) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process that talks to the cluster; it has ended when the context exits.

    Its round file contains the id of this process, so that the driver is killed with it.
    """
    logs = Path(task_round.logs)
    with disk_errors(logs):
        logs.mkdir(parents=True)
    write_json(logs / ROUND_FILE, task_round.as_json() | {"parent": os.getpid()})
    # Inside a Slurm job, new jobs must not inherit the settings of that job.
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
            start_new_session=True,  # Control-C reaches only this process, which then ends the driver
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
    """Cancel all jobs when the context exits, whatever happens in it."""
    try:
        yield
    finally:
        if jobs is not None:
            jobs.cancel()


class SlurmJobs:
    """The jobs of one stage of one work folder, identified by their name, so that no job ids need to be stored."""

    def __init__(self, name: str) -> None:
        user = pwd.getpwuid(os.getuid()).pw_name
        self.name = name
        self._filter = (f"--name={name}", f"--user={user}")
        self._asked = float("-inf")
        self._answered = time.monotonic()
        self._any = False

    def any(self) -> bool:
        """Return whether a job is waiting or running; ask the queue at most every 2 s, as clusters recommend."""
        now = time.monotonic()
        if self._any and now - self._asked < QUEUE_SECONDS:
            return True
        self._asked = now
        command = ["squeue", "--noheader", "--format=%A", *self._filter]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            self._answered, self._any = now, bool(done.stdout.strip())
            return self._any
        if now - self._answered > QUEUE_TIMEOUT_SECONDS:
            raise ResourceError(
                f"squeue has failed for {QUEUE_TIMEOUT_SECONDS:.0f} s: {done.stderr.strip()}. "
                "Try: the same command with --resume"
            )
        return True

    def cancel(self) -> None:
        subprocess.run(["scancel", "--quiet", *self._filter], capture_output=True, check=False)

    def cancel_and_wait(self) -> None:
        """Cancel the jobs and wait for their end. Raises ResourceError if jobs do not end."""
        self.cancel()
        give_up = time.monotonic() + CANCEL_SECONDS
        while self.any():
            if time.monotonic() > give_up:
                raise ResourceError(
                    f"Slurm still has jobs of an earlier run, {CANCEL_SECONDS:.0f} s after scancel. "
                    f"Try: wait until squeue --name={self.name} shows none, then use --resume"
                )
            time.sleep(0.2)


def _job_name(stage: TaskStage) -> str:
    return f"bertsmith-{stage.name}-{hashlib.blake2b(str(stage.folder).encode(), digest_size=4).hexdigest()}"


def _name_of(stage: TaskStage) -> str:
    """Return `module:function`, so that another node can import the task."""
    module, name = stage.task.__module__, stage.task.__qualname__
    assert module != "__main__" and "." not in name and "<" not in name, "a task is a function of a module"
    return f"{module}:{name}"

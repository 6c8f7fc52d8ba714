"""One round on Ray, with datatrove's executor; imported only by the driver and Ray's workers."""

from __future__ import annotations

import os
import signal
import socket
import sys
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import Any

import datatrove.executor.ray as datatrove_ray
import ray
from datatrove.executor.base import PipelineExecutor
from datatrove.utils.stats import PipelineStats

from bertsmith.corpus.engine.task_round import RunTask, TaskRound
from bertsmith.errors import OptionError, ResourceError

CONNECT_TIMEOUT_SECONDS = 10.0


class TaskActor(datatrove_ray.RankWorker):  # type: ignore[misc]
    """Runs tasks in the actor itself.

    datatrove's actor runs them in a pool of forked processes. If one of these is killed, the pool waits forever; if the
    actor is killed, they keep running. Ray notices a killed actor, and datatrove restarts its tasks.
    """

    def run_for_rank(self, executor_ref: Any, ranks: list[int], node_ips: list[str], node_idx: int) -> Any:
        if not Path(executor_ref.pipeline[0].task_round.logs).is_dir():
            raise ResourceError(f"{executor_ref.pipeline[0].task_round.folder} is not on node {os.uname().nodename}")
        for rank in ranks:
            PipelineExecutor._run_for_rank(executor_ref, rank, local_rank=1)
        return PipelineStats()


class TaskManager(datatrove_ray.RayTaskManager):  # type: ignore[misc]
    """Gives up on a task whose actor could not be started; datatrove's manager waits for its future forever."""

    def submit_task(self, executor_ref: Any, ranks_to_submit: list[int], remote_options: dict[str, Any]) -> Future[Any]:
        submitted: Future[Any] = super().submit_task(executor_ref, ranks_to_submit, remote_options)

        def give_up(thread: Future[Any]) -> None:
            if not thread.cancelled() and (error := thread.exception()) is not None:
                submitted.set_exception(error)

        self.pg_futures[-1].add_done_callback(give_up)
        return submitted


def run(task_round: TaskRound) -> None:
    """Connect, run the tasks, disconnect. SIGTERM disconnects at once, and Ray then ends the running tasks."""
    address = task_round.address or "auto"
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    try:
        _check_reachable(address)
        ray.init(address=address, log_to_driver=False)
    except (OSError, ImportError, RuntimeError, ValueError, AssertionError) as error:
        raise OptionError(
            f"--engine-address {address}: found no usable Ray cluster ({error}). "
            "Try: ray start --head --disable-usage-stats, or set its HOST:PORT"
        ) from error
    signal.signal(signal.SIGTERM, _disconnect)
    # This process runs only this executor, so nothing else sees the replaced classes.
    datatrove_ray.RankWorker, datatrove_ray.RayTaskManager = TaskActor, TaskManager
    datatrove_ray.RayPipelineExecutor(
        pipeline=[RunTask(task_round)],
        tasks=len(task_round.numbers),
        workers=min(task_round.workers, len(task_round.numbers)),
        logging_dir=task_round.logs,
        skip_completed=False,
        mem_per_cpu_gb=0,
    ).run()
    ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise OSError if nothing listens at the address; Ray itself retries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_SECONDS).close()


def _disconnect(number: int, frame: FrameType | None) -> None:
    ray.shutdown()
    sys.stderr.flush()
    os._exit(1)

"""One round on Slurm, with datatrove's executor; imported only by the driver and the jobs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from datatrove.executor.slurm import SlurmPipelineExecutor

from bertsmith.corpus.engine.slurm_options import slurm_options
from bertsmith.corpus.engine.stage import ONE_CORE
from bertsmith.corpus.engine.task_round import RunTask, TaskRound


class ArrayJob(SlurmPipelineExecutor):  # type: ignore[misc]
    """An array job of tasks only; options that are not set are left to the cluster."""

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        arguments: dict[str, Any] = super().get_sbatch_args(max_array)
        for name in ("partition", "time", "mem-per-cpu"):
            if name not in self._sbatch_args:
                del arguments[name]
        return arguments

    def launch_merge_stats(self) -> None:
        """Skip datatrove's job that merges statistics: there are none, and it would wait forever for a failed task."""


def run(task_round: TaskRound) -> None:
    """Submit the tasks to the queue."""
    programs = Path(sys.executable).parent
    ArrayJob(
        pipeline=[RunTask(task_round)],
        tasks=len(task_round.numbers),
        workers=min(task_round.workers, len(task_round.numbers)),
        time="",
        partition="",
        qos="",
        job_name=task_round.job_name,
        env_command="; ".join(
            [f'export PATH="{programs}:$PATH"', *(f"export {name}={value}" for name, value in ONE_CORE.items())]
        ),
        sbatch_args=slurm_options(task_round.address),
        logging_dir=task_round.logs,
        skip_completed=False,
        with_srun=False,
    ).run()

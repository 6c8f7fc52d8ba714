"""One round of tasks on a cluster: the description that the driver receives, and the step that runs on a worker."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.corpus.engine.stage import TaskStage, use_one_core

ROUND_FILE, ERROR_FILE, LOG_FILE = "order.json", "error.json", "driver.log"


@dataclass(frozen=True)
class TaskRound:
    """One round: the tasks `numbers` of a stage. Rank r of the executor runs task `numbers[r]`."""

    engine: str
    address: str | None
    workers: int
    job_name: str
    folder: str
    stage: str
    task: str
    count: int
    numbers: list[int] = field(repr=False)
    logs: str

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class RunTask:
    """The only step of datatrove's pipeline: runs a task, imported by its name."""

    task_round: TaskRound

    def __call__(self, data: Any, rank: int, world_size: int) -> None:
        use_one_core()
        module, name = self.task_round.task.split(":")
        task = getattr(importlib.import_module(module), name)
        stage = TaskStage(Path(self.task_round.folder), self.task_round.stage, task, self.task_round.count)
        stage.run_remotely(self.task_round.numbers[rank])

"""One round of tasks for a cluster: the order that the driver is given, and the step that runs on a worker."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.corpus.engine.stage import Stage, use_one_core

ORDER_FILE, ERROR_FILE, LOG_FILE = "order.json", "error.json", "driver.log"


@dataclass(frozen=True)
class Order:
    """One round: the tasks `numbers` of a stage. Rank r of the executor is task `numbers[r]`."""

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
    """The one step of datatrove's pipeline: runs a task where it is called. The task is found by its name there."""

    order: Order

    def __call__(self, data: Any, rank: int, world_size: int) -> None:
        use_one_core()
        module, name = self.order.task.split(":")
        task = getattr(importlib.import_module(module), name)
        stage = Stage(Path(self.order.folder), self.order.stage, task, self.order.count)
        stage.run_remotely(self.order.numbers[rank])

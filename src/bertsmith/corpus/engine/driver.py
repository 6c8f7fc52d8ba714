"""The process that gives one round of tasks to Ray or Slurm: `python -m bertsmith.corpus.engine.driver ORDER.json`.

For Ray it stays until the tasks have ended, for Slurm until they are in the queue.
"""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.corpus.engine.local import end_with
from bertsmith.corpus.engine.stage import Stage, use_one_core
from bertsmith.errors import OptionError
from bertsmith.runtime.files import read_json, write_json

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


def main(path: str) -> int:
    """Run a round; an error with a message for the user is left beside the order."""
    content = read_json(Path(path))
    end_with(content.pop("parent"))
    order = Order(**content)
    try:
        if order.engine == "ray":
            from bertsmith.corpus.engine.on_ray import run
        else:
            from bertsmith.corpus.engine.on_slurm import run
        run(order)
    except OptionError as error:
        write_json(Path(order.logs) / ERROR_FILE, {"error": "OptionError", "text": str(error)})
        return 2
    except subprocess.CalledProcessError:
        said = [line for line in (Path(order.logs) / LOG_FILE).read_text().splitlines() if line.startswith("sbatch:")]
        text = f"--engine-address {order.address}: Slurm refused the job: {' '.join(said)}"
        write_json(Path(order.logs) / ERROR_FILE, {"error": "OptionError", "text": text})
        return 2
    return 0


if __name__ == "__main__":
    # The classes that travel are those of the module that workers import, not of the script that runs.
    sys.exit(importlib.import_module("bertsmith.corpus.engine.driver").main(sys.argv[1]))

"""A stage on disk: which of its tasks are done, and how to run one.

folder/STAGE/00007.json         the completion marker of task 7
folder/STAGE/00007.error.json   why task 7 failed: a user error or a full disk (clusters only)
folder/logs/STAGE/              logs of the cluster engines
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bertsmith import errors
from bertsmith.errors import BertsmithError
from bertsmith.runtime.files import disk_errors, read_json, write_json

StageTask = Callable[[Path, int], None]

ONE_CORE = {
    "TOKENIZERS_PARALLELISM": "false",
    "RAYON_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Variables that keep the libraries of a worker on one core; set before the libraries are loaded if possible."""

_MARKER = re.compile(r"(\d{5,})\.json")
_ERROR = re.compile(r"(\d{5,})\.error\.json")


def completion_marker(folder: Path, stage: str, number: int) -> Path:
    """Return the file that marks a task as done."""
    return folder / stage / f"{number:05d}.json"


@dataclass(frozen=True)
class TaskStage:
    """`count` tasks of one kind, and their folder on disk."""

    folder: Path
    name: str
    task: StageTask
    count: int

    @property
    def task_folder(self) -> Path:
        return self.folder / self.name

    @property
    def logs(self) -> Path:
        return self.folder / "logs" / self.name

    def begin(self) -> None:
        """Create the folder of the stage, and delete the errors of the last run."""
        with disk_errors(self.task_folder):
            self.task_folder.mkdir(parents=True, exist_ok=True)
            for number in self._numbers(_ERROR):
                self.error_file(number).unlink(missing_ok=True)

    def missing(self) -> list[int]:
        """Return the tasks without a marker, in order."""
        done = self._numbers(_MARKER)
        return [number for number in range(self.count) if number not in done]

    def error_file(self, number: int) -> Path:
        return self.task_folder / f"{number:05d}.error.json"

    def run(self, number: int) -> None:
        """Run one task unless it is done."""
        marker = completion_marker(self.folder, self.name, number)
        if marker.exists():
            return
        self.task(self.folder, number)
        if not marker.exists():
            raise BertsmithError(f"{self.name}: task {number} ended without its marker {marker}")

    def run_remotely(self, number: int) -> None:
        """Run one task; write an error for the user to disk, for `raise_error`."""
        try:
            self.run(number)
        except BertsmithError as error:
            kind = next(base.__name__ for base in type(error).__mro__ if hasattr(errors, base.__name__))
            write_json(self.error_file(number), {"error": kind, "text": str(error)})
            raise

    def raise_error(self) -> None:
        """Raise the saved error of the first failed task, if there is one."""
        for number in sorted(self._numbers(_ERROR)):
            if not completion_marker(self.folder, self.name, number).exists():
                raise_from(self.error_file(number))

    def _numbers(self, name: re.Pattern[str]) -> set[int]:
        with os.scandir(self.task_folder) as entries:
            return {int(match[1]) for entry in entries if (match := name.fullmatch(entry.name))}


def raise_from(file: Path) -> None:
    """Raise the error of `bertsmith.errors` saved in a file."""
    found = read_json(file)
    raise getattr(errors, found["error"])(found["text"])


def use_one_core() -> None:
    """Keep the libraries of this process on one core: there are as many workers as cores."""
    os.environ.update(ONE_CORE)
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)

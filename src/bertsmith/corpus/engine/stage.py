"""A stage on the disk: which of its tasks are done, and how one is run.

folder/STAGE/00007.json         the marker: task 7 is done
folder/STAGE/00007.error.json   why task 7 cannot be done: what the user gave, or a full disk (clusters only)
folder/logs/STAGE/              what the engines of clusters log
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

Task = Callable[[Path, int], None]

ONE_CORE = {
    "TOKENIZERS_PARALLELISM": "false",
    "RAYON_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""What keeps the libraries of a worker on one core; set before they are loaded, where they are not yet."""

_MARKER = re.compile(r"(\d{5,})\.json")
_ERROR = re.compile(r"(\d{5,})\.error\.json")


def completion_marker(folder: Path, stage: str, number: int) -> Path:
    """The file that says that a task is done."""
    return folder / stage / f"{number:05d}.json"


@dataclass(frozen=True)
class TaskStage:
    """`count` tasks of one kind, and their place on the disk."""

    folder: Path
    name: str
    task: Task
    count: int

    @property
    def task_folder(self) -> Path:
        return self.folder / self.name

    @property
    def logs(self) -> Path:
        return self.folder / "logs" / self.name

    def begin(self) -> None:
        """Make the folder of the stage, and forget what went wrong last time."""
        with disk_errors(self.task_folder):
            self.task_folder.mkdir(parents=True, exist_ok=True)
            for number in self._numbers(_ERROR):
                self.error_file(number).unlink(missing_ok=True)

    def missing(self) -> list[int]:
        """The tasks without a marker, in order."""
        done = self._numbers(_MARKER)
        return [number for number in range(self.count) if number not in done]

    def error_file(self, number: int) -> Path:
        return self.task_folder / f"{number:05d}.error.json"

    def run(self, number: int) -> None:
        """Run one task unless it is done."""
        mark = completion_marker(self.folder, self.name, number)
        if mark.exists():
            return
        self.task(self.folder, number)
        if not mark.exists():
            raise BertsmithError(f"{self.name}: task {number} ended without its marker {mark}")

    def run_remotely(self, number: int) -> None:
        """Run one task; an error with a message for the user is left on the disk for `raise_error`."""
        try:
            self.run(number)
        except BertsmithError as error:
            kind = next(base.__name__ for base in type(error).__mro__ if hasattr(errors, base.__name__))
            write_json(self.error_file(number), {"error": kind, "text": str(error)})
            raise

    def raise_error(self) -> None:
        """Raise the error that the first task without a marker left, if any did."""
        for number in sorted(self._numbers(_ERROR)):
            if not completion_marker(self.folder, self.name, number).exists():
                raise_from(self.error_file(number))

    def _numbers(self, name: re.Pattern[str]) -> set[int]:
        with os.scandir(self.task_folder) as entries:
            return {int(match[1]) for entry in entries if (match := name.fullmatch(entry.name))}


def raise_from(file: Path) -> None:
    """Raise the error of `bertsmith.errors` that a file holds."""
    found = read_json(file)
    raise getattr(errors, found["error"])(found["text"])


def use_one_core() -> None:
    """Keep the libraries in this process on one core: there are as many workers as cores."""
    os.environ.update(ONE_CORE)
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)

"""A stage that other processes import: each task squares the number in its file; some variants misbehave."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bertsmith.corpus.engine import completion_marker
from bertsmith.errors import DataError
from bertsmith.runtime.files import write_json, write_text

STAGE = "square"


def lay_out(folder: Path, count: int) -> Path:
    """Write the inputs of a stage with this number of tasks."""
    for number in range(count):
        write_text(folder / "in" / f"{number:05d}", str(number))
    return folder


def square(folder: Path, number: int) -> None:
    """Leave the id of this process in `starts`, wait while `hold/NUMBER` is there, write the output and the marker."""
    starts = folder / "starts"
    starts.mkdir(exist_ok=True)
    with (starts / f"{number:05d}").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while (folder / "hold" / f"{number:05d}").exists():
        time.sleep(0.02)
    found = int((folder / "in" / f"{number:05d}").read_text())
    write_text(folder / "out" / f"{number:05d}", f"{found * found}\n")
    write_json(completion_marker(folder, STAGE, number), {"process": os.getpid()})


def refuse(folder: Path, number: int) -> None:
    """Task 1 raises a user error."""
    if number == 1:
        raise DataError(f'corpus/{number}.jsonl: line 3: no text, expected a key "text"')
    square(folder, number)


def stumble(folder: Path, number: int) -> None:
    """Task 1 has a bug."""
    if number == 1:
        raise ZeroDivisionError("a bug in task 1")
    square(folder, number)


class Unpicklable(Exception):
    """An exception that cannot be rebuilt from its text."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def stumble_oddly(folder: Path, number: int) -> None:
    """Every task raises an exception that cannot be pickled."""
    raise Unpicklable(number, number)


def forget(folder: Path, number: int) -> None:
    """Write no marker."""


def look_at_threads(folder: Path, number: int) -> None:
    """Record in the marker the thread settings that a worker gets."""
    import pyarrow as pa

    found = {"arrow": [pa.cpu_count(), pa.io_thread_count()], "tokenizers": os.environ["TOKENIZERS_PARALLELISM"]}
    write_json(completion_marker(folder, STAGE, number), found)


def everything(folder: Path) -> list[int]:
    """All outputs, in order."""
    return [int(line) for file in sorted((folder / "out").iterdir()) for line in file.read_text().splitlines()]


def starts(folder: Path, number: int) -> list[int]:
    """The processes that have started a task."""
    file = folder / "starts" / f"{number:05d}"
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def hold(folder: Path, number: int) -> Path:
    """Make a task wait until this file is removed."""
    write_text(folder / "hold" / f"{number:05d}", "")
    return folder / "hold" / f"{number:05d}"

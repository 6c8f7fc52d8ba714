"""A first look at labelled files, before torch and transformers are imported.

A wrong name of a column is the most frequent mistake, and importing what trains takes some seconds. So the command line
reads small files once with the task, which needs neither, and answers a mistake at once. Larger files are
read when the training reads them: to parse them twice would cost more than it saves.

Dev and test files follow the training file (how choices are numbered, what kind the tags are), so they are looked at
only if the training file is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bertsmith.runtime.console import quiet
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.records import form_of, is_data_set

LARGE = 8_000_000
"""Bytes of a file, packed or not, from which on it is read once only: 8 MB of CSV take a third of a second."""


def check_task_files(task: str, train: Path, others: Iterable[Path | None], *, columns: Columns) -> None:
    """Read the small files among these. Raises as the task's `read` does; their notes come when the files are used."""
    if not _is_small(train, columns):
        return
    found = task_class(task)
    with quiet():
        columns = found.following(columns, found.read(train, columns), train)
        for path in others:
            if path is not None and _is_small(path, columns):
                found.read(path, columns)


def _is_small(path: Path, columns: Columns) -> bool:
    """Whether a file is looked at: a small file that needs no large library, or one that does not exist."""
    if is_data_set(path) or form_of(path, columns.form) == "parquet":
        return False
    return not path.is_file() or path.stat().st_size < LARGE

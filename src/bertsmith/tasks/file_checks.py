"""Early checks of labelled files, before torch and transformers are imported.

The most frequent mistake is a wrong column name, and importing torch and transformers takes seconds. So the command
line first reads small files with the task, which needs neither, and reports mistakes immediately. Larger files are read
only by the training itself: parsing them twice would cost more than it saves.

How dev and test files are read depends on the training file (numbering of choices, kind of tags), so they are checked
only if the training file is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bertsmith.runtime.console import quiet
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.table_records import detect_format, is_data_set

LARGE = 8_000_000
"""Files of at least this many bytes, compressed or not, are not checked: 8 MB of CSV take a third of a second."""


def check_task_files(task: str, train: Path, others: Iterable[Path | None], *, columns: Columns) -> None:
    """Read the small files among these, without their notes. Raises the same errors as the task's `read`."""
    if not _is_small(train, columns):
        return
    found = task_class(task)
    with quiet():
        columns = found.columns_for_other_files(columns, found.read(train, columns), train)
        for path in others:
            if path is not None and _is_small(path, columns):
                found.read(path, columns)


def _is_small(path: Path, columns: Columns) -> bool:
    """Return whether a file is checked: a small file that needs no large library, or a missing file."""
    if is_data_set(path) or detect_format(path, columns.file_format) == "parquet":
        return False
    return not path.is_file() or path.stat().st_size < LARGE

"""A first look at labelled files, before torch and transformers are imported.

A wrong name of a column is the most frequent mistake, and importing what trains takes some seconds. So the command line
reads small files once with the readers of the task, which need neither, and answers a mistake at once. Larger files are
read when the training reads them: to parse them twice would cost more than it saves.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bertsmith.runtime.console import quiet
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.records import form_of, is_data_set

READERS = {
    "sequence-classification": "labelled_file:read_rows",
    "token-classification": "tagged_file:read_tagged",
    "question-answering": "squad_file:read_context_questions",
    "multiple-choice": "choice_file:read_questions",
}
"""What reads the labelled files of a task: module and function in this package."""

FOLLOWERS = {
    "token-classification": "tagged_file:columns_like",
    "multiple-choice": "choice_file:columns_like",
}
"""What says how the other files are read, by the training file, if a reader refuses a file of its own that is right as
one of a training: without the training file the others of these tasks are not looked at."""

LARGE = 8_000_000
"""Bytes of a file, packed or not, from which on it is read once only: 8 MB of CSV take a third of a second."""


def look_at_files(task: str, paths: Iterable[Path | None], columns: Columns) -> None:
    """Read the small files among these, of which the training file is the first. Raises as the readers do; their notes
    come when the files are used.
    """
    read, follow = _function(READERS[task]), _function(FOLLOWERS[task]) if task in FOLLOWERS else None
    with quiet():
        for number, path in enumerate(paths):
            if path is not None and _is_small(path, columns):
                examples = read(path, columns)
                if number == 0 and follow is not None:
                    columns = follow(examples, path, columns)
            elif number == 0 and follow is not None:
                return


def _is_small(path: Path, columns: Columns) -> bool:
    """Whether a file is read here; one that is missing is, and refused."""
    if is_data_set(path) or form_of(path, columns.form) == "parquet":
        return False
    return not path.is_file() or path.stat().st_size < LARGE


def _function(name: str) -> Any:
    module, function = name.split(":")
    return getattr(importlib.import_module(f"bertsmith.tasks.{module}"), function)

"""A first look at labelled files, before torch and transformers are imported.

A wrong name of a column is the most frequent mistake, and importing what trains takes some seconds. So the command line
reads small files once with the readers of the task, which need neither, and answers a mistake at once. Larger files are
read when the training reads them: to parse them twice would cost more than it saves.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

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

LARGE = 8_000_000
"""Bytes of a file, packed or not, from which on it is read once only: 8 MB of CSV take a third of a second."""


def look_at_files(task: str, paths: Iterable[Path | None], columns: Columns) -> None:
    """Read the small files among these. Raises as the readers do; their notes come when the files are used."""
    module, name = READERS[task].split(":")
    read = getattr(importlib.import_module(f"bertsmith.tasks.{module}"), name)
    with quiet():
        for path in paths:
            if path is None or is_data_set(path) or form_of(path, columns.form) == "parquet":
                continue
            if not path.is_file() or path.stat().st_size < LARGE:
                read(path, columns)

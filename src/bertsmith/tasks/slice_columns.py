"""A column of a labelled file beside its examples: what slices are made by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bertsmith.config.option_names import nearest
from bertsmith.corpus.reading.cells import RepeatedName
from bertsmith.errors import OptionError
from bertsmith.runtime.console import quiet
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.table_records import DATA_SET, ENDINGS, detect_format, record_keys

NOTHING = "(nothing)"
"""What stands for an empty field, for people."""


def column_values(head: type[AnyTask], path: Path, columns: Columns, *, name: str) -> list[str]:
    """The value of a column for each example of a file that `head` reads, as text.

    Raises OptionError where the file has no columns, or not this one.
    """
    file_format = detect_format(path, columns.file_format)
    if file_format not in (*head.tables, DATA_SET):
        named = " or ".join(ending for ending, each in ENDINGS.items() if each in head.tables)
        raise OptionError(
            f"--slice {name}: {path} has no columns beside the examples; expected a file of rows ({named}) with a "
            f"column {name!r}"
        )
    with quiet():  # the file was read before, and its notes were printed then
        records = columns.records(path, file_format)
    present = record_keys(records)
    if name not in present:
        raise OptionError(
            f"--slice {name}: {path} has no column {name!r}; the columns there are {', '.join(map(repr, present))}"
            f"{nearest(name, present)}"
        )
    repeated = records[0].values.get(name)
    if isinstance(repeated, RepeatedName):
        raise OptionError(
            f"--slice {name}: {path}: found {repeated} in the header, expected it once; rename the others"
        )
    return [_text(record.values.get(name)) for record in records]


def _text(value: Any) -> str:
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.strip() or NOTHING

"""A column of a labelled file, by whose values results are sliced (`--slice`)."""

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
"""The display name of an empty field."""


def column_values(head: type[AnyTask], path: Path, columns: Columns, *, name: str) -> list[str]:
    """Return the value of a column for each example of a file that `head` reads, as text.

    Raises OptionError if the file has no columns, or does not have this column.
    """
    file_format = detect_format(path, columns.file_format)
    if file_format not in (*head.tables, DATA_SET):
        named = " or ".join(ending for ending, each in ENDINGS.items() if each in head.tables)
        raise OptionError(
            f"--slice {name}: {path} is not a table, so it has no column to slice by; expected a table ({named}) with "
            f"a column {name!r}"
        )
    with quiet():  # the notes about this file have already been printed
        records = columns.records(path, file_format)
    present = record_keys(records)
    if name not in present:
        raise OptionError(
            f"--slice {name}: {path} has no column {name!r}; the columns are {', '.join(map(repr, present))}"
            f"{nearest(name, present)}"
        )
    repeated = records[0].values.get(name)
    if isinstance(repeated, RepeatedName):
        raise OptionError(
            f"--slice {name}: {path}: found {repeated} in the header, expected it once; rename the other columns"
        )
    return [_text(record.values.get(name)) for record in records]


def _text(value: Any) -> str:
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.strip() or NOTHING

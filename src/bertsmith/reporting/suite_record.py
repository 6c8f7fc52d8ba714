"""suite.json: the record of several tasks that were trained as one, in the folder that holds their RUNs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bertsmith.errors import InputError
from bertsmith.runtime.files import read_record

SUITE_RECORD = "suite.json"

_KEYS = ("suite", "status", "command", "options", "machine", "versions", "tasks", "failures", "average", "missing")
_OF_A_TASK = ("metrics", "seeds", "best_seed", "figures", "score", "protocol", "baseline", "num_examples", "run")
"""What is read of a record by the report, the card, and a suite that goes on."""


def read_suite(folder: Path) -> dict[str, Any]:
    """The record in the folder of a suite. Raises InputError where another version of bertsmith wrote less into it."""
    file = folder / SUITE_RECORD
    record = read_record(file)
    missing = next(_missing(record), None)
    if missing is not None:
        again = f":\n  {record['command']}" if "command" in record else ""
        raise InputError(
            f"{file}: {missing} is missing: it is of another version of bertsmith, or was edited. The RUNs beside it "
            f"can be used, each by itself; the table has to be made again, with --overwrite or another --out{again}"
        )
    return record


def _missing(record: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"`{key}`" for key in _KEYS if key not in record)
    yield from (f"`options.{key}`" for key in ("model", "over_seeds") if key not in record["options"])
    for task, entry in record["tasks"].items():
        needed = (*_OF_A_TASK, "sha256") if "file" in entry else _OF_A_TASK
        yield from (f"`tasks.{task}.{key}`" for key in needed if key not in entry)

"""The run.json in a folder that may be a RUN: a MODEL can come from anywhere, so the file can be somebody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertsmith.runtime.files import read_json

_PARTS = ("options", "data")
"""What the run.json of every RUN holds as objects, whatever version wrote it."""


def run_record(folder: Path) -> dict[str, Any]:
    """The run.json in a folder; empty where there is none, or where that file is not one of ours."""
    try:
        record = read_json(folder / "run.json")
    except (OSError, ValueError):
        return {}
    ours = isinstance(record, dict) and all(isinstance(record.get(part), dict) for part in _PARTS)
    return record if ours else {}

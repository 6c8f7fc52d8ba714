"""The run.json of a run of any kind: the one place that chooses the record by its kind."""

from __future__ import annotations

from pathlib import Path

from bertsmith.errors import InputError
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import FILE, RunRecord

KINDS: dict[str, type[RunRecord]] = {"pretraining": PretrainingRecord, "finetuning": FinetuningRecord}
"""The record of each kind of run."""


def read_run(folder: Path) -> RunRecord:
    """The record of a RUN. Raises InputError if its run.json is missing, damaged or of a different kind of file."""
    kind = RunRecord.read(folder / FILE).kind
    return KINDS.get(kind, RunRecord).read(folder / FILE)


def run_of_model(folder: Path) -> RunRecord | None:
    """The record of a MODEL that is a RUN; None for any other folder.

    A MODEL can come from anywhere, so that its run.json may be a file of a different program: it is ignored.
    """
    if not (folder / FILE).is_file():
        return None
    try:
        return read_run(folder)
    except InputError:
        return None

"""The run.json of a run of any kind: the one place that chooses the record by its kind."""

from __future__ import annotations

from pathlib import Path

from bertsmith.errors import InputError
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import FILE, RunRecord

KINDS: dict[str, type[RunRecord]] = {"pretraining": PretrainingRecord, "finetuning": FinetuningRecord}
"""The record of each kind of run."""


def read_run(folder: Path) -> FinetuningRecord | PretrainingRecord:
    """The record of a RUN. Raises InputError if its run.json is missing, damaged or of a different kind of file."""
    record = _read(folder)
    if not isinstance(record, (FinetuningRecord, PretrainingRecord)):
        found, kinds = f"found {record.kind!r}" if record.kind else "is missing", " or ".join(KINDS)
        raise InputError(
            f"{folder / FILE}: `kind` {found}, expected {kinds}; the file is not the record of a RUN. Give the folder "
            "that bertsmith pretrain or bertsmith finetune wrote"
        )
    return record


def run_of_model(folder: Path) -> RunRecord | None:
    """The record of a MODEL that is a RUN; None for any other folder.

    A MODEL can come from anywhere, so that its run.json may be a file of a different program: it is ignored.
    """
    if not (folder / FILE).is_file():
        return None
    try:
        return _read(folder)
    except InputError:
        return None


def _read(folder: Path) -> RunRecord:
    kind = RunRecord.read(folder / FILE).kind
    return KINDS.get(kind, RunRecord).read(folder / FILE)

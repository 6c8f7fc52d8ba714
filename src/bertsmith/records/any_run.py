"""The run.json of any kind of run; the only place that chooses the record class."""

from __future__ import annotations

from pathlib import Path

from bertsmith.errors import InputError
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import FILE, RunRecord

KINDS: dict[str, type[RunRecord]] = {"pretraining": PretrainingRecord, "finetuning": FinetuningRecord}
"""The record class of each kind of run."""


def read_run(folder: Path) -> FinetuningRecord | PretrainingRecord:
    """Read the record of a RUN. Raises InputError if its run.json is missing, damaged or a different kind of file."""
    record = _read(folder)
    if not isinstance(record, (FinetuningRecord, PretrainingRecord)):
        found, kinds = f"found {record.kind!r}" if record.kind else "is missing", " or ".join(KINDS)
        raise InputError(
            f"{folder / FILE}: `kind` {found}, expected {kinds}. Try: a folder that bertsmith pretrain or bertsmith "
            "finetune wrote"
        )
    return record


def run_of_model(folder: Path) -> RunRecord | None:
    """Return the record of a MODEL that is a RUN; None for any other folder.

    A MODEL can come from anywhere, so its run.json may belong to a different program; then it is ignored.
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

"""A RUN with its run.json: how it is claimed, begun and recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Generic, TypeVar

from bertsmith.errors import OutputError
from bertsmith.records.run import FILE, RunRecord
from bertsmith.runtime.files import claim_folder, disk_errors, is_occupied, move_to_replaced
from bertsmith.training.run_folder import RunFolder

RecordType = TypeVar("RecordType", bound=RunRecord)


class RecordedRun(RunFolder, Generic[RecordType]):
    """A RUN while it is made.

    Attributes:
        record: what its run.json holds; it exists as soon as the run is claimed for resuming, or created.
    """

    record: RecordType

    def __init__(self, path: Path, kind: type[RecordType]) -> None:
        super().__init__(path)
        self.kind = kind
        self.replaces = False

    @property
    def run_file(self) -> Path:
        """The record of the run."""
        return self.path / FILE

    def claim(self, *, overwrite: bool, resume: bool, verb: str) -> RecordType | None:
        """Check that the folder is free, and give the record of a run that resumes. Raises OutputError, InputError.

        A folder that is to be replaced is left as it is until `create`.
        """
        claim_folder(self.path, overwrite=overwrite, resume=resume, verb=verb)
        self.replaces = overwrite
        if not resume:
            return None
        if self.run_file.is_file():
            self.record = self.kind.read(self.run_file)
            return self.record
        if is_occupied(self.path):
            raise OutputError(f"--resume: {self.path} holds no run.json, so it is not a RUN to go on with")
        return None

    def create(self, record: RecordType) -> None:
        """Make the folder with its record, in the place of an old one that is to be replaced."""
        self.record = record
        with disk_errors(self.path):
            old = move_to_replaced(self.path) if self.replaces and self.path.exists() else None
            self.replaces = False
            self.path.mkdir(parents=True, exist_ok=True)
            self.save_record()
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)

    def save_record(self) -> None:
        """Write run.json."""
        self.record.write(self.run_file)

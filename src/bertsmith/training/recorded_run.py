"""A RUN with its run.json, while it is being made."""

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
    """A RUN folder with its record.

    Attributes:
        record: the contents of run.json. It exists after `create`, or after `claim` of a run that is resumed.
    """

    record: RecordType

    def __init__(self, path: Path, kind: type[RecordType]) -> None:
        super().__init__(path)
        self.kind = kind
        self.replaces = False

    @property
    def run_file(self) -> Path:
        """The path of run.json."""
        return self.path / FILE

    def claim(self, *, overwrite: bool, resume: bool, verb: str) -> RecordType | None:
        """Check that the folder can be written; return the record of a run that is resumed.

        A folder that will be overwritten stays as it is until `create`. Raises OutputError, InputError.
        """
        claim_folder(self.path, overwrite=overwrite, resume=resume, verb=verb)
        self.replaces = overwrite
        if not resume:
            return None
        if self.run_file.is_file():
            self.record = self.kind.read(self.run_file)
            return self.record
        if is_occupied(self.path):
            raise OutputError(f"--resume: found no run.json in {self.path}, expected a RUN. Try: a RUN or a new folder")
        return None

    def create(self, record: RecordType) -> None:
        """Create the folder with its record, replacing an old folder with `--overwrite`."""
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

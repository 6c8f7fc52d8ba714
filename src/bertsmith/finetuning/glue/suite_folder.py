"""The folder of a suite and its suite.json: claim it, create it, save it, and leave it resumable when interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.errors import Interrupted, OutputError
from bertsmith.finetuning.claim import check_same_options, identity
from bertsmith.finetuning.glue.average import average, with_table_figures
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.tasks import GLUE, NAMES
from bertsmith.finetuning.resuming import RESUME_WITH, command, resume_command
from bertsmith.records.run import Machine
from bertsmith.records.suite import FILE, VERSION, SuiteRecord
from bertsmith.runtime.files import claim_folder, disk_errors, is_occupied, move_to_replaced
from bertsmith.runtime.machine import describe_machine, versions
from bertsmith.runtime.program import runnable
from bertsmith.training.run_folder import check_inputs_outside

MAY_CHANGE = ("tasks", "over_seeds", "seeds", "save_every")
"""Options that may change when a suite is resumed: they add tasks or seeds, or change the table only."""
ORDER = [name for task in GLUE for name in (task.name, *(one.name for one in task.extra_files))]


def new_record(options: GlueOptions) -> SuiteRecord:
    """Return the record of a new suite."""
    return SuiteRecord(
        version=VERSION,
        kind="suite",
        suite="glue",
        status="running",
        command=command(options),
        options=_identity(options) | {name: options.to_dict()[name] for name in MAY_CHANGE},
        machine=Machine(**describe_machine()),
        versions=versions(),
        tasks={},
        failures={},
        to_do=[],
        average=None,
        missing=[],
    )


def _identity(options: GlueOptions) -> dict[str, Any]:
    return {name: value for name, value in identity(options).items() if name not in MAY_CHANGE}


@dataclass
class SuiteFolder:
    """The folder of a suite during training.

    Attributes:
        write_report: writes report.html into a folder and returns its path.
        record: the record, with tasks and failures of a resumed suite.
    """

    options: GlueOptions
    write_report: Callable[[Path], Path]
    record: SuiteRecord = field(init=False)

    def claim(self) -> None:
        """Claim the folder. Raises OptionError or OutputError if it is in use, or its suite has different options."""
        options, out = self.options, self.options.out
        self.record = new_record(options)
        check_inputs_outside(out, {"the MODEL": options.model, "--data": options.data})
        claim_folder(out, overwrite=options.overwrite, resume=options.resume, verb=options.verb)
        if not options.resume or not is_occupied(out):
            return
        if not (out / FILE).is_file():
            raise OutputError(
                f"--resume: found no {FILE} in {out}, expected an interrupted suite. Try: --overwrite or a different "
                "--out"
            )
        resumed = SuiteRecord.read(out / FILE)
        check_same_options(out, resumed.options, _identity(options))
        self.record.tasks, self.record.failures = resumed.tasks, resumed.failures

    def create(self) -> None:
        """Create the folder, replacing an old one with --overwrite; the card is written at the end."""
        out = self.options.out
        with disk_errors(out):
            old = move_to_replaced(out) if self.options.overwrite and out.exists() else None
            out.mkdir(parents=True, exist_ok=True)
            (out / "README.md").unlink(missing_ok=True)
            self.save()
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)

    def save(self) -> Path:
        """Write suite.json, with the tasks in the order of GLUE, and the report; returns the path of the report."""
        record, over_seeds = self.record, self.options.over_seeds
        record.tasks = {
            name: with_table_figures(record.tasks[name], over_seeds) for name in ORDER if name in record.tasks
        }
        record.average = average(record.tasks, over_seeds)
        averaged = record.average.tasks if record.average else []
        record.missing = [name for name in NAMES if name not in averaged]
        record.write(self.options.out / FILE)
        return self.write_report(self.options.out)

    @contextmanager
    def interruptions(self) -> Iterator[None]:
        """Record any interruption; if the user interrupts, raise Interrupted with the command that resumes."""
        try:
            yield
        except BaseException as error:
            self.record.status = "interrupted"
            self.save()
            if not isinstance(error, (Interrupted, KeyboardInterrupt)):
                raise
            where = str(error).split(f" {RESUME_WITH}")[0] or "stopped by Control-C; the work so far is kept."
            done = ", ".join(self.record.tasks) or "no task yet"
            resume = runnable(resume_command(self.options, self.options.out))
            raise Interrupted(f"{where} Done: {done}. {RESUME_WITH}\n  {resume}") from None

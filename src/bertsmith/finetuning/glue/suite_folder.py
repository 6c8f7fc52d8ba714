"""The folder of a suite and its suite.json: how it is claimed, begun, saved, and left if the work is stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.errors import Interrupted, OutputError
from bertsmith.finetuning.claim import check_same_options, identity
from bertsmith.finetuning.glue.average import average, summed_up
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.tasks import GLUE, NAMES
from bertsmith.finetuning.resuming import RESUME_WITH, command, resume_command
from bertsmith.records.run import Machine
from bertsmith.records.suite import FILE, VERSION, SuiteRecord
from bertsmith.runtime.files import claim_folder, disk_errors, is_occupied, move_to_replaced
from bertsmith.runtime.machine import describe_machine, versions
from bertsmith.runtime.program import runnable
from bertsmith.training.run_folder import check_out_of_the_way

MAY_CHANGE = ("tasks", "over_seeds", "seeds", "save_every")
"""The options that may change when a suite is resumed: tasks are added, the table is made in a different way."""
ORDER = [name for task in GLUE for name in (task.name, *(one.name for one in task.further))]


def new_record(options: GlueOptions) -> SuiteRecord:
    """The record of a suite that begins."""
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
    """A suite while it is trained.

    Attributes:
        write_report: writes report.html of a folder from its record, and returns the path.
        record: with the tasks and failures of the suite that is resumed.
    """

    options: GlueOptions
    write_report: Callable[[Path], Path]
    record: SuiteRecord = field(init=False)

    def claim(self) -> None:
        """Take the folder. Raises OptionError or OutputError if it is in use, or holds a suite of other options."""
        options, out = self.options, self.options.out
        self.record = new_record(options)
        check_out_of_the_way(out, {"the MODEL": options.model, "--data": options.data})
        claim_folder(out, overwrite=options.overwrite, resume=options.resume, verb=options.verb)
        if not options.resume or not is_occupied(out):
            return
        if not (out / FILE).is_file():
            raise OutputError(f"--resume: {out} holds no {FILE} to go on with; give --overwrite or another --out")
        resumed = SuiteRecord.read(out / FILE)
        check_same_options(out, resumed.options, _identity(options))
        self.record.tasks, self.record.failures = resumed.tasks, resumed.failures

    def create(self) -> None:
        """Make the folder, in the place of an old one that is to be replaced; its card waits for the end."""
        out = self.options.out
        with disk_errors(out):
            old = move_to_replaced(out) if self.options.overwrite and out.exists() else None
            out.mkdir(parents=True, exist_ok=True)
            (out / "README.md").unlink(missing_ok=True)
            self.save()
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)

    def save(self) -> Path:
        """Write suite.json, the tasks in the order of GLUE, and the report, whose path is returned."""
        record, over_seeds = self.record, self.options.over_seeds
        record.tasks = {name: summed_up(record.tasks[name], over_seeds) for name in ORDER if name in record.tasks}
        record.average = average(record.tasks, over_seeds)
        averaged = record.average.tasks if record.average else []
        record.missing = [name for name in NAMES if name not in averaged]
        record.write(self.options.out / FILE)
        return self.write_report(self.options.out)

    @contextmanager
    def interruptions(self) -> Iterator[None]:
        """Record whatever stops the work; if the user stops it, the message says how to resume."""
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

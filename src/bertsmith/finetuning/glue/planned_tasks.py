"""The tasks of a suite with their files read, and the tasks whose files cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bertsmith.errors import BertsmithError, DataError, InputError
from bertsmith.finetuning.glue.glue_folder import GlueFile, TaskFiles, read_part, read_test
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.tasks import ExtraFile
from bertsmith.records.suite import Failure
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import log_info, warn


@dataclass(frozen=True)
class PlannedTask:
    """A task whose files have been read.

    Attributes:
        test: the test file, if it has labels and --report-on is test.
        extra_files: more labelled files to measure the models on.
    """

    files: TaskFiles
    train: GlueFile
    dev: GlueFile
    test: GlueFile | None
    extra_files: tuple[tuple[ExtraFile, GlueFile], ...]

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.files.task.name

    @property
    def reported(self) -> GlueFile:
        """The file that results are measured on."""
        return self.test or self.dev

    def parts(self) -> Iterator[tuple[str, GlueFile]]:
        """Yield all files with the names of their parts."""
        for name, part in (("train", self.train), ("dev", self.dev), ("test", self.test)):
            if part is not None:
                yield name, part
        yield from ((extra.name, part) for extra, part in self.extra_files)


def plan_tasks(found: Sequence[TaskFiles], options: GlueOptions) -> tuple[list[PlannedTask], dict[str, Failure]]:
    """Return the tasks that can be trained, and the failures of the other tasks."""
    planned, failures = [], {}
    for files in found:
        try:
            planned.append(_planned(files, options))
        except InputError as error:
            failures[files.task.name] = record_failure(files.task.name, error)
    return planned, failures


def _planned(files: TaskFiles, options: GlueOptions) -> PlannedTask:
    train, dev = read_part(files.train, files.task), read_part(files.dev, files.task)
    test = None
    if options.report_on == "test" and files.test is not None:
        test = read_test(files.test, files.task.layouts, skip_broken=train.skip_broken)
    for part in (dev, test):
        if part is not None and (part.layout, part.skip_broken) != (train.layout, train.skip_broken):
            raise DataError(
                f"{part.path}: found the columns {', '.join(part.layout.columns)}, expected those of {train.path}: "
                f"{', '.join(train.layout.columns)}"
            )
    extra_files = [(one, read_test(path, one.layouts)) for one, path in files.extra_files]
    return PlannedTask(files, train, dev, test, tuple((one, part) for one, part in extra_files if part is not None))


def record_failure(name: str, error: BertsmithError) -> Failure:
    """Warn that a task is left out, and return its failure for the record."""
    warn(f"{name} is left out: {error}")
    return Failure(error=type(error).__name__, message=str(error))


def announce_tasks(plan: Sequence[PlannedTask], options: GlueOptions) -> None:
    """Print the rows of each task."""
    for planned in plan:
        rows = ", ".join(f"{name} {part.rows:,}" for name, part in planned.parts())
        log_info(f"{planned.name:<6} {rows} rows")
    log_info(f"Training: {counted(len(plan), 'task')}, {counted(options.seeds, 'seed')} each. Output: {options.out}")

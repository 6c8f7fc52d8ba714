"""The plan of a suite: each task with its files read, and the tasks whose files cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bertsmith.errors import BertsmithError, DataError, InputError
from bertsmith.finetuning.glue.folder import GlueFile, TaskFiles, read_part, read_test
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.tasks import Further
from bertsmith.records.suite import Failure
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import log_info, warn


@dataclass(frozen=True)
class PlannedTask:
    """A task whose files have been read.

    Attributes:
        test: read if it has labels and the figures are to be of it.
        further: the labelled files that its models are measured on.
    """

    files: TaskFiles
    train: GlueFile
    dev: GlueFile
    test: GlueFile | None
    further: tuple[tuple[Further, GlueFile], ...]

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.files.task.name

    @property
    def reported(self) -> GlueFile:
        """The file that the figures are of."""
        return self.test or self.dev

    def parts(self) -> Iterator[tuple[str, GlueFile]]:
        """All files by the names of their parts."""
        for name, part in (("train", self.train), ("dev", self.dev), ("test", self.test)):
            if part is not None:
                yield name, part
        yield from ((further.name, part) for further, part in self.further)


def plan_tasks(found: Sequence[TaskFiles], options: GlueOptions) -> tuple[list[PlannedTask], dict[str, Failure]]:
    """The tasks that can be trained, and the failures of the others."""
    planned, failures = [], {}
    for files in found:
        try:
            planned.append(_planned(files, options))
        except InputError as error:
            failures[files.task.name] = left_out(files.task.name, error)
    return planned, failures


def _planned(files: TaskFiles, options: GlueOptions) -> PlannedTask:
    train, dev = read_part(files.train, files.task), read_part(files.dev, files.task)
    test = None
    if options.report_on == "test" and files.test is not None:
        test = read_test(files.test, files.task.layouts, skip_broken=train.skip_broken)
    for part in (dev, test):
        if part is not None and (part.layout, part.skip_broken) != (train.layout, train.skip_broken):
            raise DataError(
                f"{part.path}: the columns are {', '.join(part.layout.columns)}, those of {train.path} are "
                f"{', '.join(train.layout.columns)}; expected files of one form in all of a task"
            )
    further = [(one, read_test(path, one.layouts)) for one, path in files.further]
    return PlannedTask(files, train, dev, test, tuple((one, part) for one, part in further if part is not None))


def left_out(name: str, error: BertsmithError) -> Failure:
    """Warn that a task is left out; its failure for the record."""
    warn(f"{name} is left out: {error}")
    return Failure(error=type(error).__name__, message=str(error))


def announce_tasks(plan: Sequence[PlannedTask], options: GlueOptions) -> None:
    """Print the rows of each task."""
    for planned in plan:
        rows = ", ".join(f"{name} {part.rows:,}" for name, part in planned.parts())
        log_info(f"{planned.name}: rows: {rows}")
    log_info(f"{counted(len(plan), 'task')}, {counted(options.seeds, 'seed')} each, to {options.out}")

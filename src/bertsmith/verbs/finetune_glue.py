"""finetune glue: fine-tune a MODEL on the tasks of GLUE, each an ordinary RUN, and make a table of their figures.

OUT/NAME          the RUN of a task, as `finetune` makes it
OUT/suite.json    options, the figures of each finished task, the average; written after each task
OUT/report.html   the same as a page
OUT/README.md     the same as a card, once all tasks are finished
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bertsmith.config.verb import Result, verb
from bertsmith.errors import DataError, DivergedError, InputError
from bertsmith.finetuning.glue.entries import TASK, extra_file_entry, run_entry, task_options
from bertsmith.finetuning.glue.glue_folder import find_tasks
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.planned_tasks import PlannedTask, announce_tasks, plan_tasks, record_failure
from bertsmith.finetuning.glue.suite_folder import SuiteFolder
from bertsmith.finetuning.glue.tasks import NAMES
from bertsmith.finetuning.seed_models import remove_seed_models
from bertsmith.finetuning.starting_model import starting_model
from bertsmith.records.suite import Failure, SuiteRecord
from bertsmith.runtime.console import log_info
from bertsmith.verbs.cards import write_suite_card
from bertsmith.verbs.finetune import train_seeds
from bertsmith.verbs.report import write_report


@dataclass(frozen=True)
class GlueResult(Result):
    """The table of GLUE.

    Attributes:
        tasks: for each task, and for MNLI-mm and AX, which the models of MNLI are measured on: `metrics` as `finetune`
            gives them, the `seeds` they are from, and `best_seed`; `figures`, for each metric the `value` in the table
            (mean, median or best over the seeds) with `low` and `high` (None without an interval); `score`, the mean of
            these values; `protocol`: the file of the figures, the seeds and how they are combined, and the file that
            checkpoints were chosen on; `baseline`, `num_examples`, `num_train_examples`, `seconds` of training, and
            `run`. With `dry_run` only the files and their rows.
        average: the mean of the scores of the tasks of GLUE (Wang et al. 2018); `partial` if tasks are `missing`.
        failures: the errors of the tasks that failed.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ("report",)

    out: Path
    tasks: dict[str, dict[str, Any]]
    average: dict[str, Any] | None
    missing: list[str]
    failures: dict[str, dict[str, str]]
    report: Path | None


@verb(GlueOptions)
def finetune_glue(options: GlueOptions) -> GlueResult:
    """Fine-tune a MODEL on the tasks of GLUE that a folder has, one after the other.

    Each task is a RUN of `finetune` in `out`. A task that fails does not stop the others; `failures` has its error.
    """
    found = find_tasks(options.data, options.tasks)
    starting_model(options, options.model, TASK)
    suite = SuiteFolder(options, write_report)
    suite.claim()
    plan, failures = plan_tasks(found, options)
    if not plan:
        raise DataError("\n".join(failure.message for failure in failures.values()))
    if options.dry_run:
        return _planned(options, plan, failures)
    announce_tasks(plan, options)
    record, names = suite.record, [planned.name for planned in plan]
    record.failures = {name: one for name, one in record.failures.items() if name not in names} | failures
    record.to_do = names
    suite.create()
    with suite.interruptions():
        for number, planned in enumerate(plan, start=1):
            log_info(f"\n{planned.name}: task {number} of {len(plan)}")
            try:
                _train(options, planned, record)
            except (InputError, DivergedError) as error:
                for name in (planned.name, *(extra.name for extra, _ in planned.files.extra_files)):
                    record.tasks.pop(name, None)
                record.failures[planned.name] = record_failure(planned.name, error)
            record.to_do.remove(planned.name)
            suite.save()
    record.status = "finished"
    report = suite.save()
    write_suite_card(options.out, record)
    return GlueResult(
        options.out,
        {name: task.to_dict() for name, task in record.tasks.items()},
        None if record.average is None else record.average.to_dict(),
        missing=record.missing,
        failures=_as_dicts(record.failures),
        report=report,
    )


def _train(options: GlueOptions, planned: PlannedTask, record: SuiteRecord) -> None:
    """Train a task as `finetune` does, or resume it; measure its models on the extra files, if they fit."""
    result = train_seeds(task_options(planned, options))
    entries, failures = {planned.name: run_entry(planned, result.run)}, {}
    for extra, part in planned.extra_files:
        before = record.tasks.get(extra.name)
        try:
            entries[extra.name] = extra_file_entry(planned, extra, part, options=options, before=before)
        except DataError as error:
            failures[extra.name] = record_failure(extra.name, error)
    if not failures:  # --resume may measure a file that could not be read
        remove_seed_models(result.run, result.best_seed)
    record.tasks |= entries
    record.failures |= failures


def _planned(options: GlueOptions, plan: Sequence[PlannedTask], failures: dict[str, Failure]) -> GlueResult:
    """Return the result of a dry run: the files of each task."""
    tasks = {
        planned.name: {
            "files": {name: {"file": str(part.path), "rows": part.rows} for name, part in planned.parts()},
            "metrics": list(planned.files.task.metrics),
        }
        for planned in plan
    }
    missing = [name for name in NAMES if name not in tasks]
    return GlueResult(options.out, tasks, None, missing=missing, failures=_as_dicts(failures), report=None)


def _as_dicts(failures: dict[str, Failure]) -> dict[str, dict[str, str]]:
    return {name: failure.to_dict() for name, failure in failures.items()}

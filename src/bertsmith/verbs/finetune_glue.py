"""finetune glue: a MODEL on the tasks of GLUE, each an ordinary RUN, and the table of their figures.

OUT/NAME          the RUN of a task, as `finetune` makes it
OUT/suite.json    options, the figures of each task that is done, the average; written after each task
OUT/report.html   the same to look at
OUT/README.md     the same as a card, once all tasks are done
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bertsmith.config.verb import Result, verb
from bertsmith.errors import DataError, DivergedError, InputError
from bertsmith.finetuning.glue.entries import TASK, entry_of_further, entry_of_run, options_of
from bertsmith.finetuning.glue.folder import find_tasks
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.plan import PlannedTask, announce_tasks, left_out, plan_tasks
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

    `tasks` holds for each task (and for MNLI-mm and AX, which are measured with the models of MNLI) its own `metrics`
    as `finetune` gives them, `seeds`, which they are of, and `best_seed`; `figures`: of each metric the `value` that
    stands in the table, the mean or median over the seeds or that of the best one, with `low` and `high` (None where
    there is no interval); `score`, the mean of these values; `protocol`: of which file the figures are, over how many
    seeds and how, and on which file was chosen; `baseline`, `num_examples`, `num_train_examples`, `seconds` of
    training, and `run`. `average` is the mean over the tasks of GLUE, of each its score (Wang et al. 2018); it is
    `partial` where tasks are `missing`. `failures` holds what stopped a task. With `dry_run` a task has its files and
    their rows alone.
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

    Each task is a RUN of `finetune` in `out`. One that fails does not stop the others: it stands in `failures`.
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
            log_info(f"== {planned.name}: {number} of {len(plan)}")
            try:
                _train(options, planned, record)
            except (InputError, DivergedError) as error:
                for name in (planned.name, *(further.name for further, _ in planned.files.further)):
                    record.tasks.pop(name, None)
                record.failures[planned.name] = left_out(planned.name, error)
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
    """Train a task as `finetune` does, or resume it; measure its models on the further files, if these fit."""
    result = train_seeds(options_of(planned, options))
    entries, failures = {planned.name: entry_of_run(planned, result.run)}, {}
    for further, part in planned.further:
        before = record.tasks.get(further.name)
        try:
            entries[further.name] = entry_of_further(planned, further, part, options=options, before=before)
        except DataError as error:
            failures[further.name] = left_out(further.name, error)
    if not failures:  # a file that could not be read may be measured by --resume
        remove_seed_models(result.run, result.best_seed)
    record.tasks |= entries
    record.failures |= failures


def _planned(options: GlueOptions, plan: Sequence[PlannedTask], failures: dict[str, Failure]) -> GlueResult:
    """The result of a dry run: the files of each task."""
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

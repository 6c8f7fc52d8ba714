"""finetune glue: a MODEL on the tasks of GLUE, each an ordinary RUN, and the table of their figures.

OUT/NAME          the RUN of a task, as `finetune` makes it
OUT/suite.json    options, the figures of each task that is done, the average; written after each task
OUT/report.html   the same to look at
OUT/README.md     the same as a card, once all tasks are done
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bertsmith.config.verb import Result, verb
from bertsmith.errors import BertsmithError, DataError, DivergedError, InputError, Interrupted, OutputError
from bertsmith.finetuning.glue.folder import Part, TaskFiles, find_tasks, read_part, read_test
from bertsmith.finetuning.glue.options import GLUE, NAMES, Further, GlueOptions
from bertsmith.finetuning.going_on import RESUME_WITH, resume_command
from bertsmith.finetuning.options import FinetuneOptions, HeadTrainingOptions
from bertsmith.finetuning.seed_models import forget_models, model_of_seed
from bertsmith.metrics.classification import over_seeds as of_the_mean
from bertsmith.metrics.seeds import OverSeeds, one_figure
from bertsmith.reporting.numbers import counted
from bertsmith.reporting.suite_record import SUITE_RECORD, read_suite
from bertsmith.runtime.console import say, warn
from bertsmith.runtime.files import (
    claim_folder,
    disk_errors,
    holds_something,
    move_aside,
    read_json,
    sha256_of,
    write_json,
)
from bertsmith.runtime.machine import describe_machine, versions
from bertsmith.runtime.program import runnable
from bertsmith.tasks.base import task_class
from bertsmith.training.run_folder import check_out_of_the_way, read_metrics
from bertsmith.verbs.cards import CARD, write_suite_card
from bertsmith.verbs.evaluate import HeadFigures, evaluate
from bertsmith.verbs.finetune import (
    FinetuneResult,
    check_same_options,
    checked_model,
    figures_over_seeds,
    identity,
    train_seeds,
)
from bertsmith.verbs.report import write_report

VERB = "finetune glue"
TASK = "sequence-classification"
MAY_CHANGE = ("tasks", "over_seeds", "seeds", "save_every")
"""The options that may change when a suite is resumed."""

Entry = dict[str, Any]
"""What the table holds of a task."""


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

    left_out_if_none: ClassVar[tuple[str, ...]] = ("report",)

    out: Path
    tasks: dict[str, Entry]
    average: Entry | None
    missing: list[str]
    failures: dict[str, dict[str, str]]
    report: Path | None


@dataclass(frozen=True)
class _Planned:
    """A task whose files have been read; `test` is there where its labels are and the figures are to be of it."""

    files: TaskFiles
    train: Part
    dev: Part
    test: Part | None
    further: tuple[tuple[Further, Part], ...]

    @property
    def reported(self) -> Part:
        """The file that the figures are of."""
        return self.test or self.dev


@verb(GlueOptions)
def finetune_glue(options: GlueOptions) -> GlueResult:
    """Fine-tune a MODEL on the tasks of GLUE that a folder has, one after the other.

    Each task is a RUN of `finetune` in `out`. One that fails does not stop the others: it stands in `failures`.
    """
    found = find_tasks(options.data, options.tasks)
    checked_model(options, TASK)
    record = _claimed(options)
    plan, failures = _plan(found, options)
    if not plan:
        raise DataError("\n".join(failure["message"] for failure in failures.values()))
    if options.dry_run:
        missing = [name for name in NAMES if name not in plan]
        return GlueResult(options.out, {name: _rows(one) for name, one in plan.items()}, None, missing, failures, None)
    _announce(plan, options)
    kept = {name: failure for name, failure in record.get("failures", {}).items() if name not in plan}
    record = _new_record(options) | {"tasks": record.get("tasks", {}), "failures": kept | failures, "to_do": list(plan)}
    _create(options, record)
    with _interruptions(options, record):
        for number, (name, planned) in enumerate(plan.items(), start=1):
            say(f"== {name}: {number} of {len(plan)}")
            try:
                entries, failed = _one_task(options, planned, record["tasks"])
                record["tasks"] |= entries
                record["failures"] |= failed
            except (InputError, DivergedError) as error:
                for one in (name, *(further.name for further, _ in planned.files.further)):
                    record["tasks"].pop(one, None)
                record["failures"] |= _failure(name, error)
            record["to_do"].remove(name)
            _save(options.out, record)
    record["status"] = "finished"
    report = _save(options.out, record)
    write_suite_card(options.out, record)
    return GlueResult(options.out, record["tasks"], record["average"], record["missing"], record["failures"], report)


def _claimed(options: GlueOptions) -> Entry:
    """The record of what is gone on with, or nothing. Raises where the folder is in the way or of other options."""
    out = options.out
    check_out_of_the_way(out, {"the MODEL": options.model, "--data": options.data})
    claim_folder(out, overwrite=options.overwrite, resume=options.resume, verb=VERB)
    if not options.resume or not holds_something(out):
        return {}
    if not (out / SUITE_RECORD).is_file():
        raise OutputError(f"--resume: {out} holds no {SUITE_RECORD} to go on with; give --overwrite or another --out")
    record: Entry = read_suite(out)
    check_same_options(out, record["options"], _identity(options))
    return record


def _identity(options: GlueOptions) -> dict[str, Any]:
    """Other tasks may be added to those that are done, and the table may be made in another way."""
    return {name: value for name, value in identity(options).items() if name not in MAY_CHANGE}


def _plan(found: Sequence[TaskFiles], options: GlueOptions) -> tuple[dict[str, _Planned], dict[str, dict[str, str]]]:
    """Each task with its files read, and what is wrong with those that cannot be read."""
    plan: dict[str, _Planned] = {}
    failures: dict[str, dict[str, str]] = {}
    for files in found:
        try:
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
        except InputError as error:
            failures |= _failure(files.task.name, error)
            continue
        labelled = tuple((one, part) for one, part in further if part is not None)
        plan[files.task.name] = _Planned(files, train, dev, test, labelled)
    return plan, failures


def _failure(name: str, error: BertsmithError) -> dict[str, dict[str, str]]:
    warn(f"{name} is left out: {error}")
    return {name: {"error": type(error).__name__, "message": str(error)}}


def _rows(planned: _Planned) -> Entry:
    """What a dry run tells of a task."""
    parts = {"train": planned.train, "dev": planned.dev, "test": planned.test}
    further = {one.name: part for one, part in planned.further}
    return {
        "files": {
            name: {"file": str(part.path), "rows": part.rows} for name, part in (parts | further).items() if part
        },
        "metrics": list(planned.files.task.metrics),
    }


def _announce(plan: Mapping[str, _Planned], options: GlueOptions) -> None:
    for name, planned in plan.items():
        rows = ", ".join(f"{part} {found['rows']:,}" for part, found in _rows(planned)["files"].items())
        say(f"{name}: rows: {rows}")
    say(f"{counted(len(plan), 'task')}, {counted(options.seeds, 'seed')} each, to {options.out}")


def _new_record(options: GlueOptions) -> Entry:
    return {
        "kind": "suite",
        "suite": "glue",
        "status": "running",
        "command": _command(options),
        "options": _identity(options) | {name: options.to_dict()[name] for name in MAY_CHANGE},
        "machine": describe_machine(),
        "versions": versions(),
    }


def _command(options: GlueOptions) -> str:
    return options.command_line(VERB, leave_out=("overwrite", "resume", "dry_run"))


def _create(options: GlueOptions, record: Entry) -> None:
    """Make the folder, in the place of an old one where it is to be replaced."""
    out = options.out
    with disk_errors(out):
        old = move_aside(out) if options.overwrite and out.exists() else None
        out.mkdir(parents=True, exist_ok=True)
        (out / CARD).unlink(missing_ok=True)
        _save(out, record)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def _save(out: Path, record: Entry) -> Path:
    """Write suite.json, the table in the order of GLUE, and the report."""
    order = [name for task in GLUE for name in (task.name, *(one.name for one in task.further))]
    how = record["options"]["over_seeds"]
    record["tasks"] = {name: summed_up(record["tasks"][name], how) for name in order if name in record["tasks"]}
    record["average"] = average(record["tasks"], how)
    averaged = record["average"]["tasks"] if record["average"] else []
    record["missing"] = [name for name in NAMES if name not in averaged]
    write_json(out / SUITE_RECORD, record)
    return write_report(out)


@contextmanager
def _interruptions(options: GlueOptions, record: Entry) -> Iterator[None]:
    """Whatever stops the work stands in the record; a stop by the user says how to go on."""
    try:
        yield
    except BaseException as error:
        record["status"] = "interrupted"
        _save(options.out, record)
        if not isinstance(error, (Interrupted, KeyboardInterrupt)):
            raise
        where = str(error).split(f" {RESUME_WITH}")[0] or "stopped by Control-C; the work so far is kept."
        done = ", ".join(record["tasks"]) or "no task yet"
        resume = runnable(resume_command(options, options.out))
        raise Interrupted(f"{where} Done: {done}. {RESUME_WITH}\n  {resume}") from None


def _one_task(
    options: GlueOptions, planned: _Planned, before: Mapping[str, Entry]
) -> tuple[dict[str, Entry], dict[str, dict[str, str]]]:
    """Train a task as `finetune` does, or go on with it; measure its models on the further files, where these fit."""
    task, run = planned.files.task, options.out / planned.files.task.name
    shared = {name: getattr(options, name) for name in HeadTrainingOptions.model_fields}
    layout = planned.train.layout
    options_of_task = FinetuneOptions.build(
        shared
        | {
            "task": TASK,
            "model": options.model,
            "train": planned.train.path,
            "dev": planned.dev.path,
            "test": planned.test.path if planned.test else None,
            "out": run,
            "text_column": layout.text,
            "pair_column": layout.pair,
            "label_column": layout.label,
            "no_header": layout.no_header,
            "skip_broken_rows": planned.train.skip_broken,
            **({"problem_type": "regression"} if task.regression else {}),
            "metric": task.metrics[0],
            "overwrite": False,
            "resume": options.resume,
        }
    )
    result = train_seeds(options_of_task)
    entries = {task.name: _entry(planned, result)}
    failures: dict[str, dict[str, str]] = {}
    for further, part in planned.further:
        entry, digest = before.get(further.name), sha256_of(part.path)
        if entry is None or entry["seeds"] != entries[task.name]["seeds"] or entry["sha256"] != digest:
            try:
                entry = _measured(options, planned, result, further, part) | {"sha256": digest}
            except DataError as error:
                failures |= _failure(further.name, error)
                continue
        entries[further.name] = entry
    if not failures:  # a file that could not be read may be measured by --resume
        forget_models(run, result.best_seed)
    return entries, failures


def _entry(planned: _Planned, result: FinetuneResult) -> Entry:
    task, record = planned.files.task, read_json(result.run / "run.json")
    (train,) = (part for part in record["data"]["files"] if part["part"] == "train")
    return {
        "metrics": {name: result.metrics[name] for name in task.metrics},
        "seeds": record["seeds_with_figures"],
        "best_seed": result.best_seed,
        "protocol": _protocol(planned.reported.path, planned.dev.path),
        "baseline": {name: result.baseline[name] for name in task.metrics},
        "num_examples": result.num_examples,
        "num_train_examples": train["examples"],
        "drawn_from": train.get("drawn_from"),
        "diverged_seeds": result.diverged_seeds,
        "truncated_tokens": result.truncated_tokens,
        "seconds": _seconds(result.run),
        "run": str(result.run),
    }


def _measured(options: GlueOptions, planned: _Planned, result: FinetuneResult, further: Further, part: Part) -> Entry:
    """The figures of a file on which the models of another task are measured, one of each seed."""
    say(f"{further.name}: the models of {planned.files.task.name} on {part.path}")
    layout, found, record = part.layout, [], read_json(result.run / "run.json")
    for seed in record["seeds_with_figures"]:
        model = model_of_seed(result.run, seed, result.best_seed)
        if model is None:
            raise DataError(
                f"{part.path}: the model of seed {seed} was not kept when {result.run} was finished; train it again "
                "with --overwrite to measure it on this file"
            )
        figures = evaluate(
            str(model),
            str(part.path),
            text_column=layout.text,
            pair_column=layout.pair,
            label_column=layout.label,
            max_length=options.max_length,
            batch_size=options.eval_batch_size,
        )
        assert isinstance(figures, HeadFigures)
        found.append({name: figures.metrics[name] for name in further.metrics})
    counts = record["data"]["labels"]
    most = max(counts, key=lambda label: counts[label])
    of_always_the_same = {"accuracy": part.labels.get(most, 0) / part.rows, "matthews": 0.0}
    return {
        "metrics": figures_over_seeds(found, task_class(TASK)),
        "seeds": record["seeds_with_figures"],
        "best_seed": result.best_seed,
        "protocol": _protocol(part.path, planned.dev.path),
        "baseline": {name: of_always_the_same[name] for name in further.metrics},
        "num_examples": part.rows,
        "file": str(part.path),
        "run": str(result.run),
    }


def _protocol(reported: Path, chosen_on: Path) -> Entry:
    return {
        "figures_of": reported.name,
        "chosen_on": chosen_on.name,
        "selected_on_reported_data": reported == chosen_on,
    }


def summed_up(entry: Entry, over_seeds: OverSeeds) -> Entry:
    """A task with the figures that stand in the table."""
    best = entry["seeds"].index(entry["best_seed"])
    figures = {name: one_figure(metric, over_seeds, best) for name, metric in entry["metrics"].items()}
    score = float(np.mean([figure["value"] for figure in figures.values()]))
    protocol = entry["protocol"] | {"over_seeds": over_seeds, "seeds": len(entry["seeds"])}
    return entry | {"figures": figures, "score": score, "protocol": protocol}


def _seconds(run: Path) -> float:
    """Seconds of training of all seeds, also of those that were stopped and went on."""
    lasts = [updates[-1] for path in sorted((run / "seeds").iterdir()) if (updates := read_metrics(path)[0])]
    return round(sum(float(line["seconds"]) for line in lasts), 1)


def average(tasks: Mapping[str, Entry], over_seeds: OverSeeds) -> Entry | None:
    """The mean over tasks of their scores; MNLI counts once, with both of its dev files (Wang et al. 2018).

    Where scores are means over seeds, and all tasks have the same number of them, it has an interval by Student's t
    over the averages of each seed; `low` and `high` are None otherwise. None where there is no task.
    """
    groups: dict[str, list[Entry]] = {}
    for task in GLUE:
        if task.name in tasks:
            names = [task.name, *(one.name for one in task.further if one.in_average and one.name in tasks)]
            groups[task.name] = [tasks[name] for name in names]
    if not groups:
        return None
    mean = float(np.mean([np.mean([entry["score"] for entry in group]) for group in groups.values()]))
    counts = {len(entry["seeds"]) for group in groups.values() for entry in group}
    low = high = None
    if over_seeds == "mean" and len(counts) == 1 and counts != {1}:
        each = [
            float(np.mean([np.mean([_score(entry, place) for entry in group]) for group in groups.values()]))
            for place in range(counts.pop())
        ]
        interval = of_the_mean(each)
        low, high = (float(end) for end in (interval.low, interval.high))
    partial = len(groups) < len(GLUE)
    return {"mean": mean, "low": low, "high": high, "over_seeds": over_seeds, "tasks": list(groups), "partial": partial}


def _score(entry: Entry, place: int) -> float:
    """A task in one figure, with one of its seeds: the mean of its metrics."""
    return float(np.mean([metric["seeds"][place] for metric in entry["metrics"].values()]))

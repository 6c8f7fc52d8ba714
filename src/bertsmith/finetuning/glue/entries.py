"""The entries of a suite: a task with the results of its RUN, and an extra file measured with the models of a RUN."""

from __future__ import annotations

from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.evaluation.head_result import evaluate_head
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.finetuning.glue.glue_folder import GlueFile
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.planned_tasks import PlannedTask
from bertsmith.finetuning.glue.tasks import ExtraFile
from bertsmith.finetuning.options import FinetuneOptions, HeadTrainingOptions
from bertsmith.finetuning.seed_models import model_of_seed
from bertsmith.finetuning.seeds import figures_over_seeds
from bertsmith.records.error_report import Figure
from bertsmith.records.finetuning import FinetuningOutcome, FinetuningRecord
from bertsmith.records.run import FILE
from bertsmith.records.suite import SuiteProtocol, SuiteTask
from bertsmith.runtime.console import log_info
from bertsmith.runtime.files import sha256_of
from bertsmith.tasks.base import task_class
from bertsmith.training.run_folder import read_metrics

TASK = "sequence-classification"
"""The bertsmith task of all GLUE tasks."""


def task_options(planned: PlannedTask, options: GlueOptions) -> FinetuneOptions:
    """Return the options of `finetune` for a task of the suite."""
    layout, task = planned.train.layout, planned.files.task
    files = {
        "task": TASK,
        "model": options.model,
        "train": planned.train.path,
        "dev": planned.dev.path,
        "test": planned.test.path if planned.test else None,
        "out": options.out / planned.name,
        "text_column": layout.text,
        "pair_column": layout.pair,
        "label_column": layout.label,
        "no_header": layout.no_header,
        "skip_broken_rows": planned.train.skip_broken,
        "metric": task.metrics[0],
        "overwrite": False,
    }
    if task.regression:
        files["problem_type"] = "regression"
    return FinetuneOptions.build(options.model_dump(include=set(HeadTrainingOptions.model_fields)) | files)


def run_entry(planned: PlannedTask, run: Path) -> SuiteTask:
    """Return a task with the results of its RUN."""
    record, metrics = FinetuningRecord.read(run / FILE), planned.files.task.metrics
    outcome = _outcome(record, run)
    (train,) = (file for file in record.data.files if file.part == "train")
    return SuiteTask(
        metrics={name: record.metrics[name] for name in metrics},
        seeds=record.seeds_with_figures,
        best_seed=outcome.best_seed,
        protocol=_protocol(planned.reported.path, planned.dev.path),
        baseline={name: outcome.baseline[name] for name in metrics},
        num_examples=outcome.num_examples,
        num_train_examples=train.examples,
        drawn_from=train.drawn_from,
        diverged_seeds=outcome.diverged_seeds,
        truncated_tokens=outcome.truncated_tokens,
        seconds=_seconds(run),
        run=str(run),
        figures={},
        score=0.0,
    )


def extra_file_entry(
    planned: PlannedTask, extra: ExtraFile, part: GlueFile, *, options: GlueOptions, before: SuiteTask | None
) -> SuiteTask:
    """Measure an extra file with the models of a task, one per seed.

    Returns the entry `before` if it has the same seeds and the same file. Raises DataError if a model is missing or the
    file does not fit it.
    """
    run = options.out / planned.name
    record, digest = FinetuningRecord.read(run / FILE), sha256_of(part.path)
    if before is not None and (before.seeds, before.sha256) == (record.seeds_with_figures, digest):
        return before
    log_info(f"{extra.name}: the models of {planned.name} on {part.path}")
    best_seed = _outcome(record, run).best_seed
    found = []
    for seed in record.seeds_with_figures:
        model = model_of_seed(run, seed, best_seed)
        if model is None:
            raise DataError(
                f"{part.path}: found no model of seed {seed} in {run}, expected one to measure on this file. Try: "
                "train again with --overwrite"
            )
        figures = evaluate_head(_evaluation(model, part, options), TASK)
        found.append({name: Figure(**figures.metrics[name]) for name in extra.metrics})
    counts = record.data.labels
    majority = max(counts, key=lambda label: counts[label])
    majority_baseline = {"accuracy": part.labels.get(majority, 0) / part.rows, "matthews": 0.0}
    return SuiteTask(
        metrics=figures_over_seeds(found, task_class(TASK)),
        seeds=record.seeds_with_figures,
        best_seed=best_seed,
        protocol=_protocol(part.path, planned.dev.path),
        baseline={name: majority_baseline[name] for name in extra.metrics},
        num_examples=part.rows,
        file=str(part.path),
        run=str(run),
        sha256=digest,
        figures={},
        score=0.0,
    )


def _evaluation(model: Path, part: GlueFile, options: GlueOptions) -> EvaluateOptions:
    return EvaluateOptions.build(
        {
            "model": str(model),
            "data": str(part.path),
            "text_column": part.layout.text,
            "pair_column": part.layout.pair,
            "label_column": part.layout.label,
            "max_length": options.max_length,
            "batch_size": options.eval_batch_size,
        }
    )


def _outcome(record: FinetuningRecord, run: Path) -> FinetuningOutcome:
    record.check_finished(run / FILE)
    assert record.result is not None
    return record.result


def _protocol(reported: Path, chosen_on: Path) -> SuiteProtocol:
    return SuiteProtocol(
        figures_of=reported.name, chosen_on=chosen_on.name, selected_on_reported_data=reported == chosen_on
    )


def _seconds(run: Path) -> float:
    """Return the seconds of training of all seeds, including resumed ones."""
    lasts = [updates[-1] for path in sorted((run / "seeds").iterdir()) if (updates := read_metrics(path)[0])]
    return round(sum(float(line["seconds"]) for line in lasts), 1)

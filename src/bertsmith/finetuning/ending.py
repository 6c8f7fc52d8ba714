"""The end of a RUN: its figures over the seeds are recorded, and the best seed becomes the RUN."""

from __future__ import annotations

from bertsmith.evaluation.errors import calibration_figures
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.resuming import FinetuningRun
from bertsmith.finetuning.seeds import Seeds, figures_over_seeds
from bertsmith.records.finetuning import FinetuningOutcome
from bertsmith.runtime.console import warn


def finish_run(run: FinetuningRun, data: FinetuningData, seeds: Seeds) -> FinetuningOutcome:
    """The figures over the seeds. The record has them too, with the details of the best seed that reports show."""
    record, best, head = run.record, seeds.best, data.head
    for warning in seeds.warnings():
        warn(warning)
        record.warnings.append(warning)
    errors, figures = best.errors, seeds.figures
    assert errors is not None
    calibration = None if errors.calibration is None else calibration_figures(errors.calibration)
    omitted_if_none = {
        "windowed_examples": data.windowed,
        "calibration": calibration,
        "search": record.search,
        "best_seed_metrics": best.metrics if len(figures) > 1 else None,
    }
    outcome = FinetuningOutcome(
        metrics=figures_over_seeds(list(figures.values()), type(head)),
        best_seed=best.seed,
        diverged_seeds=seeds.diverged,
        selected_on_reported_data=data.test is None,
        baseline=head.baseline(data.train_targets, data.reported.targets),
        num_examples=len(data.reported.targets),
        truncated_tokens=sum(file.truncated_tokens for file in data.files),
        **{name: value for name, value in omitted_if_none.items() if value is not None},  # type: ignore[arg-type]
    )
    record.errors, record.seeds_with_figures = errors, list(figures)
    record.baseline_answer = head.baseline_answer
    reported = "dev" if data.test is None else "test"
    record.learnt_nothing = seeds.learnt_nothing(outcome.baseline, file=reported)
    record.metrics, record.baseline = outcome.metrics, outcome.baseline
    record.best_seed, record.diverged_seeds = outcome.best_seed, outcome.diverged_seeds
    record.selected_on_reported_data = outcome.selected_on_reported_data
    record.status, record.result = "finished", outcome
    return outcome

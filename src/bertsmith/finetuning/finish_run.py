"""Finishing a RUN: sum up the figures of its seeds and record them."""

from __future__ import annotations

from bertsmith.evaluation.error_analysis import calibration_figures
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.resuming import FinetuningRun
from bertsmith.finetuning.seeds import SeedResults, figures_over_seeds
from bertsmith.records.finetuning import FinetuningOutcome
from bertsmith.runtime.console import warn


def finish_run(run: FinetuningRun, data: FinetuningData, seeds: SeedResults) -> FinetuningOutcome:
    """Return the figures over all seeds; the record gets them too, with the best seed's errors for the report."""
    record, best, head = run.record, seeds.best, data.head
    for warning in seeds.warnings():
        warn(warning)
        record.warnings.append(warning)
    errors, figures = best.errors, seeds.figures
    assert errors is not None and best.metrics is not None
    metrics = figures_over_seeds(list(figures.values()), type(head))
    calibration = None if errors.calibration is None else calibration_figures(errors.calibration)
    outcome = FinetuningOutcome(
        metrics={name: figure.to_dict() for name, figure in metrics.items()},
        best_seed=best.seed,
        diverged_seeds=seeds.diverged,
        selected_on_reported_data=data.test is None,
        baseline=head.baseline(data.train_targets, data.reported.targets),
        num_examples=len(data.reported.targets),
        truncated_tokens=sum(file.truncated_tokens for file in data.files),
        windowed_examples=data.windowed_examples,
        calibration=None if calibration is None else calibration.to_dict(),
        search=None if record.search is None else record.search.to_dict(),
        best_seed_metrics=(
            {name: figure.to_dict() for name, figure in best.metrics.items()} if len(figures) > 1 else None
        ),
    )
    record.errors, record.seeds_with_figures = errors, list(figures)
    record.baseline_answer = head.baseline_answer
    reported = "dev" if data.test is None else "test"
    record.learnt_nothing = seeds.failure_reason(outcome.baseline, file=reported)
    record.metrics, record.baseline = metrics, outcome.baseline
    record.best_seed, record.diverged_seeds = outcome.best_seed, outcome.diverged_seeds
    record.selected_on_reported_data = outcome.selected_on_reported_data
    record.status, record.result = "finished", outcome
    return outcome

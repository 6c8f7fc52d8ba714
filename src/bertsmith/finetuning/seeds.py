"""The results of all seeds of a RUN: the means, the best seed, and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.errors import DivergedError
from bertsmith.finetuning.loss_trend import no_better_than_baseline
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.metrics.classification import over_seeds
from bertsmith.records.error_report import Figure
from bertsmith.records.finetuning import MeanFigure, SeedResult
from bertsmith.reporting.numbers import format_metric
from bertsmith.tasks.base import AnyTask


def figures_over_seeds(results: Sequence[Mapping[str, Figure]], task: type[AnyTask]) -> dict[str, MeanFigure]:
    """Return the mean of each metric over the seeds, with its 95% interval."""
    metrics = {}
    for name, first in results[0].items():
        values = [result[name].value for result in results]
        interval = over_seeds(values)
        low, high = task.clip_to_range(name, interval.low), task.clip_to_range(name, interval.high)
        if len(values) == 1:
            low, high = first.low, first.high
        metrics[name] = MeanFigure(mean=float(np.mean(values)), low=low, high=high, seeds=values)
    return metrics


@dataclass(frozen=True)
class SeedResults:
    """The result of each seed of a RUN."""

    settings: HeadSettings
    results: Mapping[int, SeedResult]

    @property
    def figures(self) -> dict[int, dict[str, Figure]]:
        """The metrics of each seed that has some. Raises DivergedError if all seeds failed."""
        found = {seed: result.metrics for seed, result in self.results.items() if result.metrics is not None}
        if not found:
            raise DivergedError(f"all seeds failed: {next(iter(self.results.values())).diverged}")
        return found

    @property
    def best(self) -> SeedResult:
        """The seed with the best result on the dev file; the first of equally good ones."""
        measured = [self.results[seed] for seed in self.figures]
        task, metric = self.settings.head, self.settings.metric
        return max(measured, key=lambda result: task.selection_score(metric, _dev(result)))

    @property
    def diverged(self) -> list[int]:
        """The seeds without results, and the seeds that do not beat the baseline on the dev file."""
        return [seed for seed, result in self.results.items() if result.diverged]

    def warnings(self) -> Iterator[str]:
        """Yield warnings about seeds that diverged or do not beat the baseline, and about the mean."""
        figures, metric = self.figures, self.settings.metric
        lost = [seed for seed in self.results if seed not in figures]
        stuck = [seed for seed in self.diverged if seed in figures]
        yield from (f"seed {seed} diverged: {self.results[seed].diverged}" for seed in lost)
        yield from (f"seed {seed}: {self.results[seed].diverged}" for seed in stuck)
        if lost:
            total = len(self.results)
            yield f"the results are over {len(figures)} of {total} seeds, without the diverged ones"
        others = [found[metric].value for seed, found in figures.items() if seed not in stuck]
        if stuck and others:
            named = " and ".join(f"seed {seed}" for seed in stuck)
            mean = format_metric(metric, float(np.mean(others)), self.settings.head.maximum_score)
            yield f"the mean includes {named}; over the other seeds {metric} is {mean}"

    def failure_reason(self, baseline: Mapping[str, float], *, file: str) -> str | None:
        """Return why even the best seed does not beat the baseline on the dev or test file; None if it does.

        `baseline` belongs to `file`, the file that results are reported on: dev or test.
        """
        metric, best = self.settings.metric, self.best
        if best.diverged:
            return best.diverged
        value, least = self.figures[best.seed][metric].value, baseline[metric]
        task = self.settings.head
        if task.selection_score(metric, value) > task.selection_score(metric, least):
            return None
        return no_better_than_baseline(task, metric, value, baseline=least, file=file, trend=best.loss)


def _dev(result: SeedResult) -> float:
    assert result.dev is not None
    return result.dev

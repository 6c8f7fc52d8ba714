"""The seeds of a RUN together: their figures, the best one, and warnings about the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.errors import DivergedError
from bertsmith.finetuning.outcome import no_better_than_baseline
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.metrics.classification import over_seeds
from bertsmith.records.errors import Figure
from bertsmith.records.finetuning import MeanFigure, SeedResult
from bertsmith.reporting.numbers import format_metric
from bertsmith.tasks.base import AnyTask


def figures_over_seeds(results: Sequence[Mapping[str, Figure]], task: type[AnyTask]) -> dict[str, MeanFigure]:
    """The mean of each metric over the seeds, with its 95% interval."""
    metrics = {}
    for name, first in results[0].items():
        values = [result[name].value for result in results]
        interval = over_seeds(values)
        low, high = task.possible(name, interval.low), task.possible(name, interval.high)
        if len(values) == 1:
            low, high = first.low, first.high
        metrics[name] = MeanFigure(mean=float(np.mean(values)), low=low, high=high, seeds=values)
    return metrics


@dataclass(frozen=True)
class Seeds:
    """The results of all seeds of a RUN, by their numbers."""

    settings: HeadSettings
    results: Mapping[int, SeedResult]

    @property
    def figures(self) -> dict[int, dict[str, Figure]]:
        """The metrics of each seed that came to its end. Raises DivergedError if none did."""
        found = {seed: result.metrics for seed, result in self.results.items() if result.metrics is not None}
        if not found:
            raise DivergedError(f"no seed came to its end: {next(iter(self.results.values())).diverged}")
        return found

    @property
    def best(self) -> SeedResult:
        """The seed with the best figure on the dev file, of equal ones the first."""
        ended = [self.results[seed] for seed in self.figures]
        task, metric = self.settings.head, self.settings.metric
        return max(ended, key=lambda result: task.selection_score(metric, _dev(result)))

    @property
    def diverged(self) -> list[int]:
        """The seeds without figures, and those that do not beat the baseline on the dev file."""
        return [seed for seed, result in self.results.items() if result.diverged]

    def warnings(self) -> Iterator[str]:
        """Sentences about the seeds that diverged or do not beat the baseline, and what follows for the mean."""
        figures, metric = self.figures, self.settings.metric
        lost = [seed for seed in self.results if seed not in figures]
        stuck = [seed for seed in self.diverged if seed in figures]
        yield from (f"seed {seed} diverged: {self.results[seed].diverged}" for seed in lost)
        yield from (f"seed {seed}: {self.results[seed].diverged}" for seed in stuck)
        if lost:
            total = len(self.results)
            yield f"the figures are over {len(figures)} of {total} seeds, without those that diverged"
        others = [found[metric].value for seed, found in figures.items() if seed not in stuck]
        if stuck and others:
            named = " and ".join(f"seed {seed}" for seed in stuck)
            mean = format_metric(metric, float(np.mean(others)), self.settings.head.top)
            yield f"the mean includes {named}; over the other seeds {metric} is {mean}"

    def learnt_nothing(self, baseline: Mapping[str, float], *, file: str) -> str | None:
        """Why the RUN is of no use, if even its best seed does not beat the baseline on the dev or the test file.

        `baseline` is that of `file`, the reported one: dev or test.
        """
        metric, best = self.settings.metric, self.best
        if best.diverged:
            return best.diverged
        value, least = self.figures[best.seed][metric].value, baseline[metric]
        task = self.settings.head
        if task.selection_score(metric, value) > task.selection_score(metric, least):
            return None
        return no_better_than_baseline(task, metric, value, baseline=least, file=file, course=best.loss)


def _dev(result: SeedResult) -> float:
    assert result.dev is not None
    return result.dev

"""The results of a suite: the metrics of each task, its score, and the average of the scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bertsmith.finetuning.glue.tasks import GLUE
from bertsmith.metrics.classification import over_seeds as of_the_mean
from bertsmith.metrics.seeds import one_figure
from bertsmith.records.suite import Average, OverSeeds, SuiteTask


def with_table_figures(task: SuiteTask, over_seeds: OverSeeds) -> SuiteTask:
    """Return a task with its value for each metric and its score."""
    best = task.seeds.index(task.best_seed)
    figures = {name: one_figure(metric, over_seeds, best) for name, metric in task.metrics.items()}
    score = float(np.mean([figure.value for figure in figures.values()]))
    protocol = task.protocol.model_copy(update={"over_seeds": over_seeds, "seeds": len(task.seeds)})
    return task.model_copy(update={"figures": figures, "score": score, "protocol": protocol})


def average(tasks: Mapping[str, SuiteTask], over_seeds: OverSeeds) -> Average | None:
    """Return the mean of the scores over the tasks; MNLI counts once, with both of its dev files (Wang et al. 2018).

    If scores are means over seeds and all tasks have the same number of seeds, the average has an interval (Student's t
    over the averages of each seed); otherwise `low` and `high` are None. Returns None without a task.
    """
    groups: dict[str, list[SuiteTask]] = {}
    for task in GLUE:
        if task.name in tasks:
            names = [task.name, *(one.name for one in task.extra_files if one.in_average and one.name in tasks)]
            groups[task.name] = [tasks[name] for name in names]
    if not groups:
        return None
    counts = {len(entry.seeds) for group in groups.values() for entry in group}
    low = high = None
    if over_seeds == "mean" and len(counts) == 1 and counts != {1}:
        each = [
            float(np.mean([np.mean([_score(entry, place) for entry in group]) for group in groups.values()]))
            for place in range(counts.pop())
        ]
        interval = of_the_mean(each)
        low, high = (float(end) for end in (interval.low, interval.high))
    return Average(
        mean=float(np.mean([np.mean([entry.score for entry in group]) for group in groups.values()])),
        low=low,
        high=high,
        over_seeds=over_seeds,
        tasks=list(groups),
        partial=len(groups) < len(GLUE),
    )


def _score(task: SuiteTask, place: int) -> float:
    """Return the score of a task with one of its seeds: the mean of its metrics."""
    return float(np.mean([metric.seeds[place] for metric in task.metrics.values()]))

"""Figures with their intervals as lines of 80 columns, the same in `finetune`, `evaluate` and `score`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bertsmith.reporting.numbers import format_metric, interval_text


def figure_lines(
    figures: Iterable[tuple[str, float, Mapping[str, float]]], most: float, baseline: Mapping[str, float] | None = None
) -> list[str]:
    """A line for each metric: its name, its figure, the interval (`low`, `high`), and the baseline if it has one.

    `most` is as in `reporting.numbers.most_of`.
    """
    rows = list(figures)
    width = max((len(name) for name, *_ in rows), default=0)
    lines = []
    for name, value, ends in rows:
        line = f"  {name:<{max(width, 20)}} {format_metric(name, value, most):>6}  95% interval "
        line += interval_text(name, ends["low"], ends["high"], most=most)
        if baseline is not None and name in baseline:
            line += f"  baseline {format_metric(name, baseline[name], most)}"
        lines.append(line)
    return lines

"""bertsmith compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.evaluate import CompareOptions
from bertsmith.reporting.numbers import counted, difference_interval, format_difference, format_metric, most_of


def _run(options: CompareOptions) -> Iterable[Answer]:
    from bertsmith.verbs.compare import compare

    yield compare(options)


def _show(result: Any) -> str:
    most = most_of(result.metrics)
    lines = [
        f"A: {result.model_a}",
        f"B: {result.model_b}",
        counted(result.num_examples, "example"),
        f"  {'':<22} {'A':>8} {'B':>8} {'B - A':>12}   {'95% interval':<21} {'p':<7}",
    ]
    for name, it in result.metrics.items():
        difference = format_difference(name, it["difference"], most)
        interval = difference_interval(name, it["low"], it["high"], most)
        verdict = "no real difference" if it["better"] is None else f"{it['better'].upper()} is better"
        if it["real"] != (it["p_value"] < 0.05):
            verdict += ", on the border"
        lines.append(
            f"  {name:<22} {format_metric(name, it['a'], most):>8} {format_metric(name, it['b'], most):>8} "
            f"{difference:>12}   {interval:<21} {it['p_value']:<7.2g} {verdict}"
        )
    return "\n".join([*lines, result.advice])


COMMAND = Command(
    "compare",
    "Compare the heads of two models on the same labelled file: is the difference real, and how many examples would "
    "show it.",
    CompareOptions,
    _run,
    _show,
    "bertsmith compare runs/reviews runs/reviews-large test.csv",
)

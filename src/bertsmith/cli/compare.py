"""bertsmith compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.evaluation.options import CompareOptions
from bertsmith.reporting.numbers import (
    counted,
    difference_interval,
    format_difference,
    format_metric,
    is_share,
    most_of,
)
from bertsmith.runtime.console import wrapped


def _run(options: CompareOptions) -> Iterable[Answer]:
    from bertsmith.verbs.compare import compare

    yield compare(options)


def _show(result: Any) -> str:
    most = most_of(result.metrics)
    points = "; B - A is in percentage points" if any(map(is_share, result.metrics)) else ""
    lines = [
        wrapped(result.advice),
        f"A: {result.model_a}",
        f"B: {result.model_b}",
        f"{counted(result.num_examples, 'example')}{points}",
    ]
    rows = [("", "A", "B", "B - A", "95% interval", "p", "better")]
    for name, it in result.metrics.items():
        better = "neither" if it["better"] is None else it["better"].upper()
        rows.append(
            (
                name,
                format_metric(name, it["a"], most),
                format_metric(name, it["b"], most),
                format_difference(name, it["difference"], most).removesuffix(" points"),
                difference_interval(name, it["low"], it["high"], most=most).removesuffix(" points"),
                f"{it['p_value']:.2g}",
                better if it["real"] == (it["p_value"] < 0.05) else f"{better}?",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append(f"  {'  '.join(cells)}")
    return "\n".join(lines)


COMMAND = Command(
    "compare",
    "Compare two fine-tuned MODELs on the same labelled file: is the difference real, and how many examples would show "
    "it?",
    CompareOptions,
    _run,
    _show,
    "bertsmith compare runs/reviews runs/reviews-large test.csv",
)

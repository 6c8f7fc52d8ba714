"""bertsmith compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.evaluate import CompareOptions


def _run(options: CompareOptions) -> Iterable[Answer]:
    from bertsmith.verbs.compare import compare

    yield compare(options)


def _show(result: Any) -> str:
    digits = 2 if "exact_match" in result.metrics else 4  # from 0 to 100, or to 1
    lines = [
        f"A: {result.model_a}",
        f"B: {result.model_b}",
        f"{result.num_examples:,} examples",
        f"  {'':<22} {'A':>9} {'B':>9} {'B - A':>9}   {'95% interval':<20} {'p':<7}",
    ]
    for name, it in result.metrics.items():
        interval = f"{it['low']:+.{digits}f} to {it['high']:+.{digits}f}"
        verdict = "no real difference" if it["better"] is None else f"{it['better'].upper()} is better"
        if it["real"] != (it["p_value"] < 0.05):
            verdict += ", on the border"
        lines.append(
            f"  {name:<22} {it['a']:>9.{digits}f} {it['b']:>9.{digits}f} {it['difference']:>+9.{digits}f}   "
            f"{interval:<20} {it['p_value']:<7.2g} {verdict}"
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

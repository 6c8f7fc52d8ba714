"""bertsmith score."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.figures import figure_lines
from bertsmith.reporting.numbers import most_of
from bertsmith.runtime.console import wrapped
from bertsmith.tasks.score_options import ScoreOptions


def _run(options: ScoreOptions) -> Iterable[Answer]:
    from bertsmith.verbs.score import score

    yield score(options)


def _show(result: Any) -> str:
    most = most_of(result.metrics)
    lines = [result.headline, *_figures(result, most)]
    for name, part in result.parts.items():
        lines += [f"{name}: {part.headline}", *_figures(part, most)]
    return "\n".join([*lines, *map(wrapped, result.notes)])


def _figures(scores: Any, most: float) -> list[str]:
    return figure_lines(
        [(name, it.value, {"low": it.low, "high": it.high}) for name, it in scores.metrics.items()], most
    )


COMMAND = Command(
    "score",
    "Score a file of predictions, without a model: answers (SQuAD), tags (CoNLL), labels or choices, with the official "
    "metrics of the task and bootstrap intervals.",
    ScoreOptions,
    _run,
    _show,
    "bertsmith score question-answering dev-v2.0.json predictions.json",
)

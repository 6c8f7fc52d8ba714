"""bertsmith pretrain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.evaluate import language_model_lines
from bertsmith.config.pretrain import PretrainOptions


def _run(options: PretrainOptions) -> Iterable[Answer]:
    from bertsmith.verbs.pretrain import pretrain

    yield pretrain(options)


def _show(result: Any) -> str:
    if not result.evaluation:
        return "nothing was trained (--dry-run)"
    return (
        f"{result.run}: {result.steps:,} updates over {result.tokens_seen:,} tokens in "
        f"{result.seconds / 60:.1f} minutes "
        f"({result.tokens_per_second:,.0f} tokens/s)\n"
        f"{language_model_lines(result.evaluation, result.evaluation_before)}\n"
        f"  report            {result.run}/report.html\n"
        f'Next: bertsmith fill-mask {result.run} "A sentence with a [MASK] in it."'
    )


COMMAND = Command(
    "pretrain",
    "Pre-train a BERT with masked language modelling and next sentence prediction; from scratch, or from a MODEL.",
    PretrainOptions,
    _run,
    _show,
    "bertsmith pretrain data/books --out runs/books --size mini --minutes 10",
)

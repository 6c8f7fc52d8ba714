"""Metrics with their intervals as lines of at most 80 columns, for `finetune`, `evaluate` and `score`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bertsmith.reporting.numbers import format_metric, interval_text


def figure_lines(
    figures: Iterable[tuple[str, float, Mapping[str, float]]], most: float, baseline: Mapping[str, float] | None = None
) -> list[str]:
    """Return one line per metric: name, value, 95% interval (`low`, `high`), and its baseline if there is one.

    `most` is the largest value of shares, as in `reporting.numbers.most_of`.
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


def fit_table(rows: Iterable[Any]) -> list[str]:
    """Return a table that compares how tokenizers fit a text (`tokenization.measures.TokenizerFit`)."""
    rows = list(rows)
    width = max(len("tokenizer"), *(len(row.name) for row in rows))
    return [
        f"{'tokenizer':<{width}}  {'entries':>8}  {'used':>6}  {'tokens per word':>15}  {'unknown':>8}",
        *(
            f"{row.name:<{width}}  {row.vocab_size:>8,}  {row.vocabulary_used:>6.1%}  "
            f"{row.tokens_per_word:>15.3f}  {row.unknown_rate:>8.3%}"
            for row in rows
        ),
    ]

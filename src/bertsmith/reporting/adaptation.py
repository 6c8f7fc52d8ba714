"""Gain on the run's own text and forgetting on a general text: a table, a chart of both losses, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from bertsmith.records.pretraining import Evaluated, PretrainingRecord
from bertsmith.reporting.line_chart import Series, line_chart
from bertsmith.reporting.numbers import Cell
from bertsmith.reporting.page import Page

SMALLEST_CHANGE = 0.02
"""Smaller changes of a loss, in nats, count as no change: a few thousand masked tokens cannot resolve them."""

HEADER = ["", "before", "after", "difference"]

_LOSS = "mlm_nats_per_masked_token"
_FIGURES = {
    _LOSS: "MLM loss, nats per masked token",
    "mlm_accuracy": "masked tokens predicted correctly",
    "nsp_nats_per_pair": "NSP loss, nats per pair",
    "next_sentence_accuracy": "next-sentence accuracy",
}


def add_adaptation(page: Page, record: PretrainingRecord, evaluations: Sequence[Evaluated], *, finished: bool) -> None:
    """Add the section about forgetting, if the run has a general text."""
    text = record.general_text
    if text is None:
        return
    page.section(
        "Gain and forgetting",
        f"Results on the held-out part of the STORE and on the general text {text.source} ({text.tokens:,} tokens). "
        "The run did not train on either of them. The masked positions are the same each time.",
    )
    if finished:
        words, kind = adaptation_verdict(record)
        if words:
            page.notice(words, kind)
        page.table(HEADER, changes(record), caption="Both texts, before and after training")
    else:
        page.text("The results after training appear here when the run is finished.")
    ends = record.curve_ends[: None if finished else 1]
    lines = {line.step: line for line in (*ends, *evaluations)}
    for figure, title in ((_LOSS, "Masked language modelling"), ("nsp_nats_per_pair", "Next sentence prediction")):
        series = [
            Series(
                name, [(float(step), float(value)) for step, value in _curve(lines, key, figure) if value is not None]
            )
            for key, name in (("evaluation", "held-out part"), ("general_evaluation", "general text"))
        ]
        if all(one.points for one in series):
            page.chart(
                line_chart(
                    series, x_label="updates", y_label="nats", title=f"{title}: both texts", marks=True, whole_x=True
                ),
                f"{title}: loss in nats on both texts, on the same number of examples each time",
            )


def _curve(lines: Mapping[int, Evaluated], key: str, figure: str) -> list[tuple[int, float | None]]:
    """Return one figure of one text as (update, value)."""
    return [(step, getattr(getattr(line, key), figure, None)) for step, line in sorted(lines.items())]


def changes(record: PretrainingRecord) -> list[tuple[Cell, ...]]:
    """Return the rows of the table under HEADER: every figure of both texts."""
    rows: list[tuple[Cell, ...]] = []
    for name, key in (("held-out part", "evaluation"), ("general text", "general_evaluation")):
        for figure, label in _FIGURES.items():
            change = _change(record, key, figure)
            if change is not None:
                rows.append((f"{name}: {label}", *change, _difference(*change)))
    return rows


def _difference(before: float, after: float) -> str:
    return f"{round(after - before, 3) + 0.0:+.3f}"  # no -0.000


def adaptation_verdict(record: PretrainingRecord) -> tuple[str, Literal["info", "warning", "good"]]:
    """Return a sentence about gain and forgetting, and its tone; an empty sentence without an MLM loss."""
    domain_change = _change(record, "evaluation")
    general_change = _change(record, "general_evaluation")
    if domain_change is None or general_change is None:
        return "", "info"
    words = (
        f"The loss on the held-out part {_in_words(*domain_change)}; on the general text it "
        f"{_in_words(*general_change)}"
    )
    if record.options.get("from") is None:
        return f"{words}. The model began from scratch, so there was nothing to forget.", "info"
    if record.fresh_mlm_head:
        return (
            f"{words}. The MLM head was new, so the losses before training do not show what the model knew: forgetting "
            "cannot be measured here.",
            "info",
        )
    gained = domain_change[0] - domain_change[1] > SMALLEST_CHANGE
    forgotten = general_change[1] - general_change[0] > SMALLEST_CHANGE
    verdict = "something was forgotten" if forgotten else "nothing was forgotten"
    if not gained:
        verdict = f"nothing was gained, and {verdict}"
    return f"{words}: {verdict}.", "warning" if not gained else "info" if forgotten else "good"


def _change(record: PretrainingRecord, key: str, figure: str = _LOSS) -> tuple[float, float] | None:
    """Return a figure before and after training; None if one of the two is missing."""
    before, after = (getattr(getattr(record, name), figure, None) for name in (f"{key}_before", key))
    return None if before is None or after is None else (before, after)


def _in_words(before: float, after: float) -> str:
    """Return a change in words: `fell by 0.45 nats (6.09 to 5.64)`."""
    if abs(after - before) <= SMALLEST_CHANGE:
        return f"did not change ({before:.2f} to {after:.2f} nats)"
    return f"{'fell' if after < before else 'rose'} by {abs(after - before):.2f} nats ({before:.2f} to {after:.2f})"

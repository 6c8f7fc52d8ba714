"""The verdict that opens the report of a fine-tuned RUN: how good it is, in words that need no knowledge of the field.

A figure with its interval, the errors per 1,000, the baseline, and the model before if one was measured on the same
file. Everything comes from run.json, so that the report can be written again at any time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from bertsmith.records.finetuning import FinetuningRecord, MeanFigure
from bertsmith.reporting.numbers import format_difference, format_metric, interval_text, most_of
from bertsmith.reporting.page import Page
from bertsmith.reporting.task_texts import TaskTexts


def add_verdict(page: Page, record: FinetuningRecord, texts: TaskTexts) -> None:
    """The box at the top of a report, and the main figures as cards."""
    metrics, baseline = record.metrics, record.baseline
    most = most_of(metrics)
    headline, lines, tone = verdict(record, texts)
    page.verdict(headline, lines, tone)
    page.figures(
        [
            (
                name.replace("_", " "),
                format_metric(name, figure.mean, most),
                f"{interval_text(name, figure.low, figure.high, most=most)}; "
                f"baseline {format_metric(name, baseline.get(name), most)}",
            )
            for name, figure in metrics.items()
        ]
    )


def verdict(record: FinetuningRecord, texts: TaskTexts) -> tuple[str, list[str], Literal["warning", "good"]]:
    """Headline, sentences and tone of the verdict on a finished RUN of `finetune`."""
    metric, most = main_metric(record), most_of(record.metrics)
    figure, baseline = record.metrics[metric], record.baseline[metric]
    name = _named(metric)
    ends = interval_text(metric, figure.low, figure.high, most=most)
    headline = f"{name} {format_metric(metric, figure.mean, most)}, 95% interval {ends}"
    lower = metric in texts.lower_is_better
    side = _side(figure, baseline, lower_is_better=lower)
    useful = side == "better" and not record.learnt_nothing
    lines = [
        *_error_sentence(record, metric, texts.wrong),
        *_baseline_sentence(record, side, format_metric(metric, baseline, most)),
    ]
    lines += _previous_model_sentence(record, metric, most, lower_is_better=lower)
    return headline, lines, "good" if useful else "warning"


def main_metric(record: FinetuningRecord) -> str:
    """The figure that checkpoints and seeds were chosen by."""
    asked = str(record.options.get("metric"))
    return asked if asked in record.metrics else next(iter(record.metrics))


def _named(metric: str) -> str:
    words = metric.replace("_", " ")
    return words[0].upper() + words[1:]


def _side(figure: MeanFigure, value: float, *, lower_is_better: bool) -> Literal["better", "worse", "open"]:
    """On which side of a value the whole interval is; `open` if the value lies within it."""
    if figure.low <= value <= figure.high:
        return "open"
    return "better" if (figure.low > value) != lower_is_better else "worse"


def _error_sentence(record: FinetuningRecord, metric: str, wrong: str) -> Iterator[str]:
    """How often the model is wrong."""
    assert record.result is not None
    errors, examples = record.errors, record.result.num_examples
    seeds = len(record.metrics[metric].seeds)
    file = f"the {'dev' if record.selected_on_reported_data else 'test'} file ({examples:,} examples)"
    if seeds > 1:
        file += f"; the figure above is a mean over {seeds} seeds"
    if errors is not None and errors.wrong is not None:
        count = round(1000 * errors.wrong / errors.examples)
        about = f"About {count:,}" if count or not errors.wrong else "Fewer than 1"
        seed = f"The model is that of seed {record.best_seed}. " if seeds > 1 else ""
        yield f"{seed}{about} of 1,000 {wrong}. Measured on {file}."
    elif "mean_squared_error" in record.metrics:
        off = math.sqrt(record.metrics["mean_squared_error"].mean)
        yield f"Its numbers are typically off by {off:.3g} (root mean squared error). Measured on {file}."
    else:
        yield f"Measured on {file}."


def _baseline_sentence(record: FinetuningRecord, side: str, baseline: str) -> Iterator[str]:
    """Whether the model is of any use."""
    answer = record.baseline_answer or "always giving the same answer"  # of RUNs of an older version
    same = f"The baseline, {answer}, is {baseline}"
    if record.learnt_nothing:
        yield f"Do not use this model: {record.learnt_nothing}."
    elif side == "better":
        yield f"{same}: the model is better, and by more than chance explains."
    elif side == "worse":
        yield f"{same}: the model is worse. Do not use it."
    else:
        yield f"{same}. That lies within the interval: these examples do not show that the model is better."


def _previous_model_sentence(
    record: FinetuningRecord, metric: str, most: float, *, lower_is_better: bool
) -> Iterator[str]:
    """The model before on the same file, if it was measured there by the same metric."""
    before = record.model_before
    if before is None or metric not in before.metrics:
        return
    figure, was = record.metrics[metric], before.metrics[metric]
    value, difference = format_metric(metric, was.mean, most), figure.mean - was.mean
    said = f"The model before ({before.name}) reached {value} on the same file"
    if difference == 0:
        yield f"{said}: this one is neither better nor worse."
        return
    better = (difference > 0) != lower_is_better
    said += f": this one is {'better' if better else 'worse'} ({format_difference(metric, difference, most)})"
    apart = figure.low > was.high or figure.high < was.low
    yield f"{said}." if apart else f"{said}. The 95% intervals overlap, so the difference may be chance."

"""The verdict at the top of the report of a fine-tuned RUN, for readers who do not know the field.

It has the main metric with its interval, the errors per 1,000 examples, the baseline, and the previous model if that
was measured on the same file. Everything comes from run.json, so the report can be written again at any time.
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
    """Add the box at the top of a report, and all metrics as cards."""
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
    """Return headline, sentences and tone of the verdict on a finished RUN of `finetune`."""
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
    """Return the metric that selected the checkpoints and the best seed."""
    requested = str(record.options.get("metric"))
    return requested if requested in record.metrics else next(iter(record.metrics))


def _named(metric: str) -> str:
    words = metric.replace("_", " ")
    return words[0].upper() + words[1:]


def _side(figure: MeanFigure, value: float, *, lower_is_better: bool) -> Literal["better", "worse", "open"]:
    """Compare the whole interval with a value; `open` if the value is inside the interval."""
    if figure.low <= value <= figure.high:
        return "open"
    return "better" if (figure.low > value) != lower_is_better else "worse"


def _error_sentence(record: FinetuningRecord, metric: str, wrong: str) -> Iterator[str]:
    """Yield how often the model is wrong."""
    assert record.result is not None
    errors, examples = record.errors, record.result.num_examples
    seeds = len(record.metrics[metric].seeds)
    file = f"the {'dev' if record.selected_on_reported_data else 'test'} file ({examples:,} examples)"
    if seeds > 1:
        file += f"; the headline is the mean over {seeds} seeds"
    if errors is not None and errors.wrong is not None:
        count = round(1000 * errors.wrong / errors.examples)
        about = f"About {count:,}" if count or not errors.wrong else "Fewer than 1"
        seed = f"This model is the one of seed {record.best_seed}. " if seeds > 1 else ""
        yield f"{seed}{about} of 1,000 {wrong}. Measured on {file}."
    elif "mean_squared_error" in record.metrics:
        off = math.sqrt(record.metrics["mean_squared_error"].mean)
        yield f"Its numbers are typically off by {off:.3g} (root mean squared error). Measured on {file}."
    else:
        yield f"Measured on {file}."


def _baseline_sentence(record: FinetuningRecord, side: str, baseline: str) -> Iterator[str]:
    """Yield whether the model is better than the baseline."""
    answer = record.baseline_answer or "always giving the same answer"  # of RUNs of an older version
    reaches = f"The baseline, {answer}, reaches {baseline}"
    if record.learnt_nothing:
        yield f"Do not use this model: {record.learnt_nothing}."
    elif side == "better":
        yield f"{reaches}. The model is better, by more than chance explains."
    elif side == "worse":
        yield f"{reaches}. The model is worse: do not use it."
    else:
        yield f"{reaches}. This is inside the interval, so these examples do not show that the model is better."


def _previous_model_sentence(
    record: FinetuningRecord, metric: str, most: float, *, lower_is_better: bool
) -> Iterator[str]:
    """Yield a comparison with the previous model, if it has the same metric on the same file."""
    before = record.model_before
    if before is None or metric not in before.metrics:
        return
    figure, was = record.metrics[metric], before.metrics[metric]
    value, difference = format_metric(metric, was.mean, most), figure.mean - was.mean
    sentence = f"The previous model ({before.name}) reached {value} on the same file"
    if difference == 0:
        yield f"{sentence}: this model is equally good."
        return
    better = (difference > 0) != lower_is_better
    sentence += f": this model is {'better' if better else 'worse'} ({format_difference(metric, difference, most)})"
    apart = figure.low > was.high or figure.high < was.low
    yield f"{sentence}." if apart else f"{sentence}. The 95% intervals overlap, so the difference may be chance."

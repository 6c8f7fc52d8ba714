"""The report of a fine-tuning: whether the model is useful, its results over the seeds, its errors, its origin."""

from __future__ import annotations

from collections.abc import Mapping

from bertsmith.records.finetuning import FinetuningRecord, MeanFigure
from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.data_sections import add_labelled_data
from bertsmith.reporting.error_sections import add_errors
from bertsmith.reporting.line_chart import Series, line_chart
from bertsmith.reporting.numbers import format_metric, is_share, most_of
from bertsmith.reporting.page import Page
from bertsmith.reporting.run_progress import Lines
from bertsmith.reporting.run_sections import add_progress, add_provenance, add_warnings, smoothed
from bertsmith.reporting.search_sections import add_search
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.reporting.verdict import add_verdict


def finetuning_report(
    name: str,
    record: FinetuningRecord,
    updates: Lines,
    *,
    texts: TaskTexts,
    evaluations: Lines,
    refresh_seconds: int | None = None,
    as_of: str = "",
) -> str:
    """Return report.html of a fine-tuning, made from its run.json and metrics.jsonl.

    Args:
        texts: the sentences of the task.
        refresh_seconds: makes the browser reload the page, for a run that is still training.
        as_of: the time of the last metrics, for a run that is not finished.
    """
    page = Page(f"{name}: {record.task.replace('-', ' ')}", _origin(record), refresh_seconds)
    if record.is_finished:
        add_verdict(page, record, texts)
    else:
        add_progress(page, record, updates, as_of=as_of)
    reason = record.learnt_nothing  # already in the verdict
    add_warnings(page, [warning for warning in record.warnings if reason is None or not warning.endswith(reason)])
    if record.selected_on_reported_data:
        chosen = "The best checkpoint was" if record.search is None else "The settings and the best checkpoint were"
        page.notice(
            f"{chosen} selected on the same examples as these results, so the results are slightly too good. For "
            "unbiased results, give a separate file: --test FILE."
        )
    if record.is_finished:
        add_head_metrics(page, record.metrics, record.baseline)
    if record.search is not None:
        add_search(page, record.search)
    if record.is_finished and record.errors is not None:
        part = "dev" if record.selected_on_reported_data else "test"
        best = f", seed {record.best_seed}" if len(next(iter(record.metrics.values())).seeds) > 1 else ""
        add_errors(page, record.errors, f" on the {part} file{best}", most=most_of(record.metrics))
    _add_training(page, record, updates=updates, evaluations=evaluations)
    _add_files(page, record)
    page.section("How it was made")
    add_provenance(page, record, {"files": str([part.name for part in record.data.files])})
    return page.html()


def _origin(record: FinetuningRecord) -> str:
    """Return the subtitle: the MODEL that the training started from, and the teacher."""
    origin, teacher = (
        f"Fine-tuned from {record.options.get('model', 'an unknown MODEL')}",
        record.options.get("teacher"),
    )
    if teacher is None:
        return origin
    rows = sum(file.examples for file in record.data.files if file.part == "unlabelled")
    return f"{origin} with the teacher {teacher}" + (f", also on {rows:,} unlabelled rows" if rows else "")


def _add_training(page: Page, record: FinetuningRecord, *, updates: Lines, evaluations: Lines) -> None:
    """Add the training loss, and the dev metric that selected the weights."""
    page.section("Losses")
    source = f"seed {record.best_seed}" if record.is_finished else "the current training"
    points = [(float(line["step"]), float(line["loss"])) for line in updates]
    page.chart(
        line_chart(
            [Series("each update", points, "faint"), Series("smoothed", smoothed(points))],
            x_label="updates",
            y_label="loss",
            title="Training loss",
            whole_x=True,
        ),
        f"Training loss of {source}",
    )
    if len(evaluations) > 1:
        metric = next(iter(evaluations[0]["evaluation"]))
        scale = 100 / most_of(record.metrics) if is_share(metric) else 1.0
        points = [(float(line["step"]), scale * float(line["evaluation"][metric])) for line in evaluations]
        name = metric.replace("_", " ") + (", %" if is_share(metric) else "")
        page.chart(
            line_chart(
                [Series("dev file", points, "points")],
                x_label="updates",
                y_label=name,
                title=f"{metric.replace('_', ' ')} on the dev file",
                whole_x=True,
            ),
            f"{name} on the dev file; the model keeps the weights with the best value",
        )


def _add_files(page: Page, record: FinetuningRecord) -> None:
    """Add the labelled files and what they contain."""
    page.section("Data")
    files, data = record.data.files, record.data
    in_windows = ["read in windows"] if files and files[0].windowed_examples is not None else []
    page.table(
        ["file", "examples", "longest text, tokens", "truncated texts", "truncated tokens", *in_windows],
        [
            (
                part.name,
                part.examples,
                part.longest,
                part.truncated_texts,
                part.truncated_tokens,
                *(part.windowed_examples for _ in in_windows),
            )
            for part in files
        ],
        caption="The labelled files",
    )
    for part in files:
        if part.drawn_from is not None:
            page.notice(
                f"Trained on a fixed random sample of {part.name}: {part.examples:,} of {part.drawn_from:,} "
                "examples (--max-train-examples)."
            )
    if data.report is not None:
        add_labelled_data(page, data.report)
    elif data.labels:
        rows = [(label, float(count)) for label, count in data.labels.items()]
        page.chart(
            bar_chart(rows, title="Training examples by label", value_format="{:,.0f}"),
            "Training examples by label",
        )


def add_head_metrics(
    page: Page, metrics: Mapping[str, MeanFigure], baseline: Mapping[str, float], *, title: str = "Results"
) -> None:
    """Add the metrics with their 95% intervals, the value of each seed, and the baseline."""
    several = any(len(value.seeds) > 1 for value in metrics.values())
    page.section(
        title,
        "Means over the seeds, with 95% intervals (Student's t)."
        if several
        else "One seed, with 95% intervals over the examples (bootstrap).",
    )
    most = most_of(metrics)
    rows = [
        (
            metric.replace("_", " "),
            *(format_metric(metric, end, most) for end in (value.mean, value.low, value.high)),
            format_metric(metric, baseline.get(metric), most),
            *([", ".join(format_metric(metric, single, most) for single in value.seeds)] if several else []),
        )
        for metric, value in metrics.items()
    ]
    header = ["metric", "mean" if several else "value", "low", "high", "baseline"]
    page.table(
        [*header, *(["each seed"] if several else [])],
        rows,
        caption="low and high: the 95% interval; baseline: the same answer for every example",
    )

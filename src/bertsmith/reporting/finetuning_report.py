"""The report of a fine-tuning: was it worth it, the figures over the seeds, the errors, and how it was made."""

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
    """report.html of a fine-tuning, from its run.json and metrics.jsonl.

    `texts` are those of the task. `refresh_seconds` is for a page that is watched; `as_of` is the time of the figures
    of a run that is not finished.
    """
    page = Page(f"{name}: {record.task.replace('-', ' ')}", _origin(record), refresh_seconds)
    if record.is_finished:
        add_verdict(page, record, texts)
    else:
        add_progress(page, record, updates, as_of=as_of)
    said = record.learnt_nothing  # the verdict says it
    add_warnings(page, [warning for warning in record.warnings if said is None or not warning.endswith(said)])
    if record.selected_on_reported_data:
        chosen = "The best checkpoint was" if record.search is None else "The settings and the best checkpoint were"
        page.notice(
            f"{chosen} chosen on the very data that these figures are of: they are a little too good. "
            "Give --test FILE for figures that nothing was chosen on."
        )
    if record.is_finished:
        add_head_metrics(page, record.metrics, record.baseline)
    if record.search is not None:
        add_search(page, record.search)
    if record.is_finished and record.errors is not None:
        which = "dev" if record.selected_on_reported_data else "test"
        best = f", seed {record.best_seed}" if len(next(iter(record.metrics.values())).seeds) > 1 else ""
        add_errors(page, record.errors, f" on the {which} file{best}", most=most_of(record.metrics))
    _add_training(page, record, updates=updates, evaluations=evaluations)
    _add_files(page, record)
    page.section("How it was made")
    add_provenance(page, record, {"files": str([part.name for part in record.data.files])})
    return page.html()


def _origin(record: FinetuningRecord) -> str:
    """The MODEL that a head was fine-tuned from, and its teacher."""
    origin, teacher = (
        f"Fine-tuned from {record.options.get('model', 'an unknown MODEL')}",
        record.options.get("teacher"),
    )
    if teacher is None:
        return origin
    rows = sum(file.examples for file in record.data.files if file.part == "unlabelled")
    return f"{origin}, taught by {teacher}" + (f" on {rows:,} unlabelled rows too" if rows else "")


def _add_training(page: Page, record: FinetuningRecord, *, updates: Lines, evaluations: Lines) -> None:
    """The loss of a head's training, and the figure that its weights were chosen by."""
    page.section("Losses")
    which = f"seed {record.best_seed}" if record.is_finished else "the newest training"
    points = [(float(line["step"]), float(line["loss"])) for line in updates]
    page.chart(
        line_chart(
            [Series("each update", points, "faint"), Series("smoothed", smoothed(points))],
            x_label="updates",
            y_label="loss",
            title="Training loss",
            whole_x=True,
        ),
        f"Training loss of {which}",
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
            f"{name} on the dev file, by which the weights were chosen",
        )


def _add_files(page: Page, record: FinetuningRecord) -> None:
    """The labelled files and what was found in them."""
    page.section("Data")
    files, data = record.data.files, record.data
    in_windows = ["in windows"] if files and files[0].windowed_examples is not None else []
    page.table(
        ["file", "examples", "longest text, tokens", "texts cut", "tokens cut", *in_windows],
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
                f"Trained on a fixed random part of {part.name}: {part.examples:,} of {part.drawn_from:,} "
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
    page: Page, metrics: Mapping[str, MeanFigure], baseline: Mapping[str, float], *, title: str = "Figures"
) -> None:
    """The figures of a head with their intervals, by seed, and the baseline."""
    several = any(len(value.seeds) > 1 for value in metrics.values())
    page.section(
        title,
        "Mean over the seeds, with its 95% interval by Student's t."
        if several
        else "One seed, with the 95% interval over the examples.",
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
    header = ["metric", "mean" if several else "figure", "low", "high", "baseline"]
    page.table([*header, *(["each seed"] if several else [])], rows, caption="Figures")

"""The card of a suite: the results of its tasks. Every task is a RUN with its own card in a folder next to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bertsmith.records.labelled_files import DataFile
from bertsmith.records.suite import SuiteRecord, SuiteTask
from bertsmith.reporting.model_card import (
    HubNames,
    bullets,
    code,
    escape_markdown,
    known,
    made_by,
    markdown_table,
    model_card,
)
from bertsmith.reporting.numbers import Cell, format_metric
from bertsmith.reporting.suite_report import TITLES, average_in_words, interval_in_words, protocol_in_words


def suite_card(name: str, record: SuiteRecord, files: Mapping[str, list[DataFile]], *, hub: HubNames) -> str:
    """Return README.md of a suite, made from its suite.json; `files` come from the run.json of each RUN."""
    suite, tasks = TITLES[record.suite], record.tasks
    return model_card(
        title=name,
        tags=["bert", record.suite, "bertsmith"],
        summary=f"Results of {code(record.model)}, fine-tuned separately on each task of {suite}.",
        sections=[
            ("Intended use", bullets(_intended_use(record))),
            ("Results", f"{_figures(tasks)}\n{_average(record)}"),
            ("Data", _data(files)),
            ("Limits", bullets(_limits(record))),
            ("Repeat this", made_by(record)),
        ],
        metadata=known(base_model=hub.base_model, base_model_relation="finetune" if hub.base_model else None),
    )


def _intended_use(record: SuiteRecord) -> Iterator[str]:
    yield "Comparing encoders on English sentences and sentence pairs."
    runs = dict.fromkeys(entry.run for entry in record.tasks.values())
    yield f"This folder is not a model. It holds {len(runs)} models, one per task, each with its own card."


def _figures(tasks: Mapping[str, SuiteTask]) -> str:
    rows: list[tuple[Cell, ...]] = [
        (
            task,
            metric,
            format_metric(metric, figure.value),
            interval_in_words(metric, figure),
            format_metric(metric, entry.baseline[metric]),
            entry.num_examples,
            escape_markdown(protocol_in_words(entry)),
        )
        for task, entry in tasks.items()
        for metric, figure in entry.figures.items()
    ]
    header = ["task", "metric", "value", "95% interval", "baseline", "examples", "protocol"]
    return markdown_table(header, rows)


def _average(record: SuiteRecord) -> str:
    average = record.average
    if average is None:
        return ""
    interval = f" (95% interval {interval_in_words('average', average)})" if average.low is not None else ""
    return f"Average: {average.mean:.4f}{interval}, {average_in_words(average, record.missing)}.\n"


def _data(files: Mapping[str, list[DataFile]]) -> str:
    rows: list[tuple[Cell, ...]] = [
        (task, file.part, code(file.name), file.examples, code(file.sha256 or ""))
        for task, each in files.items()
        for file in each
    ]
    return markdown_table(["task", "part", "file", "rows", "SHA-256"], rows)


def _limits(record: SuiteRecord) -> Iterator[str]:
    tasks = record.tasks
    same = [task for task, entry in tasks.items() if entry.protocol.selected_on_reported_data]
    if same:
        yield (
            "The best checkpoint was selected on the reported examples, so the results are slightly too good: "
            f"{', '.join(same)}."
        )
    diverged = [task for task, entry in tasks.items() if entry.diverged_seeds]
    if diverged:
        yield f"Tasks with seeds that do not beat the baseline: {', '.join(diverged)}."
    drawn = [task for task, entry in tasks.items() if entry.drawn_from]
    if drawn:
        yield f"Trained on a random sample of the training file: {', '.join(drawn)}."
    for task, failure in record.failures.items():
        yield f"{task} failed: {escape_markdown(failure.message)}"
    if record.missing:
        yield f"Not measured: {', '.join(record.missing)}. Do not compare the average with averages over all tasks."
    yield "Measured on short English sentences only, nothing else."

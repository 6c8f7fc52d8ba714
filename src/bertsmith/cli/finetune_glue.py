"""bertsmith finetune glue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.errors import DivergedError, InputError
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.records.suite import Average, SuiteTask
from bertsmith.reporting.numbers import counted, format_metric
from bertsmith.runtime.console import wrapped


def _run(options: GlueOptions) -> Iterable[Answer]:
    """Yield the table; if a task failed, raise the error that gives the exit code after it."""
    from bertsmith.verbs.finetune_glue import finetune_glue

    result = finetune_glue(options)
    yield result
    if result.failures:
        message = "\n".join(f"{name}: {failure['message']}" for name, failure in result.failures.items())
        diverged = all(failure["error"] == DivergedError.__name__ for failure in result.failures.values())
        raise (DivergedError if diverged else InputError)(
            f"{counted(len(result.failures), 'task')} failed, the results of the others are kept:\n{message}"
        )


def _show(result: Any) -> str:
    if result.report is None:
        return "\n".join([*_rows(result.tasks), "Nothing was trained (--dry-run)."])
    tasks = {name: SuiteTask(**task) for name, task in result.tasks.items()}
    lines = [*_verdict(tasks), *table(tasks, failures=result.failures)]
    if result.average is not None:
        lines.append(_average_line(Average(**result.average), result.missing))
    return "\n".join([*lines, f"  report  {result.report}"])


def _average_line(average: Average, missing: list[str]) -> str:
    from bertsmith.reporting.suite_report import average_in_words

    interval = f", 95% interval {average.low:.4f} to {average.high:.4f}" if average.low is not None else ""
    return wrapped(f"Average: {average.mean:.4f}{interval}, {average_in_words(average, missing)}")


def _verdict(tasks: Mapping[str, SuiteTask]) -> list[str]:
    """Return one line: which tasks have a first figure whose interval is above the baseline."""
    words: dict[str, list[str]] = {"better than the baseline": [], "not clearly better": []}
    for name, task in tasks.items():
        metric, figure = next(iter(task.figures.items()))
        low = figure.value if figure.low is None else figure.low
        words["better than the baseline" if low > task.baseline[metric] else "not clearly better"].append(name)
    parts = [f"{word}: {', '.join(names)}" for word, names in words.items() if names]
    return [wrapped(f"{line[0].upper()}{line[1:]}.")] if (line := "; ".join(parts)) else []


def _rows(tasks: dict[str, Any]) -> list[str]:
    """Return the files of each task, for a dry run."""
    return [
        f"{name:<8} {part:<10} {file['rows']:>9,} rows  {file['file']}"
        for name, entry in tasks.items()
        for part, file in entry["files"].items()
    ]


def table(tasks: Mapping[str, SuiteTask], *, failures: Iterable[str]) -> list[str]:
    """Return a line per figure with its interval and baseline, then a line per task on how it was measured."""
    from bertsmith.reporting.suite_report import interval_in_words, protocol_in_words

    lines = [f"{'task':<8} {'metric':<9} {'figure':>8}  {'95% interval':<18} {'baseline':>8} {'examples':>9}"]
    for name, entry in tasks.items():
        for place, (metric, figure) in enumerate(entry.figures.items()):
            lines.append(
                f"{'' if place else name:<8} {metric:<9} {format_metric(metric, figure.value):>8}  "
                f"{interval_in_words(metric, figure):<18} {format_metric(metric, entry.baseline[metric]):>8} "
                f"{entry.num_examples:>9,}"
            )
    lines += [f"{name:<8} failed" for name in failures]
    return lines + [wrapped(f"{name}: {protocol_in_words(entry)}") for name, entry in tasks.items()]


GLUE = Command(
    "finetune glue",
    "Fine-tune a MODEL on the GLUE tasks in a folder: a RUN per task, and a table of all figures.",
    GlueOptions,
    _run,
    _show,
    "bertsmith finetune glue --model runs/books --data data/glue --tasks MRPC,RTE,STS-B,CoLA --seeds 3 --out runs/glue",
)

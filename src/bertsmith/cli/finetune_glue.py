"""bertsmith finetune glue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.errors import DivergedError, InputError
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.records.suite import Average, SuiteTask
from bertsmith.reporting.numbers import format_metric


def _run(options: GlueOptions) -> Iterable[Answer]:
    """The table is printed first; if a task failed, the error after it gives the exit code."""
    from bertsmith.verbs.finetune_glue import finetune_glue

    result = finetune_glue(options)
    yield result
    if result.failures:
        message = "\n".join(f"{name}: {failure['message']}" for name, failure in result.failures.items())
        diverged = all(failure["error"] == DivergedError.__name__ for failure in result.failures.values())
        raise (DivergedError if diverged else InputError)(
            f"{len(result.failures)} of the tasks failed, the others are kept:\n{message}"
        )


def _show(result: Any) -> str:
    if result.report is None:
        return "\n".join([*_rows(result.tasks), "nothing was trained (--dry-run)"])
    from bertsmith.reporting.suite_report import average_in_words

    lines = table({name: SuiteTask(**task) for name, task in result.tasks.items()}, failures=result.failures)
    if result.average is not None:
        average = Average(**result.average)
        interval = f"   95% interval {average.low:.4f} to {average.high:.4f}" if average.low is not None else ""
        lines.append(f"average {average.mean:.4f}{interval}   {average_in_words(average, result.missing)}")
    return "\n".join([*lines, f"report: {result.report}"])


def _rows(tasks: dict[str, Any]) -> list[str]:
    """The files of each task, of a dry run."""
    return [
        f"{name:<8} " + "   ".join(f"{part} {file['rows']:,} ({file['file']})" for part, file in entry["files"].items())
        for name, entry in tasks.items()
    ]


def table(tasks: Mapping[str, SuiteTask], *, failures: Iterable[str]) -> list[str]:
    """A line for each figure, with its interval, its baseline, and how it was measured."""
    from bertsmith.reporting.suite_report import interval_in_words, protocol_in_words

    lines = [f"{'task':<8} {'metric':<9} {'figure':>8}  {'95% interval':<18} {'baseline':>8} {'examples':>9}  protocol"]
    for name, entry in tasks.items():
        for place, (metric, figure) in enumerate(entry.figures.items()):
            lines.append(
                f"{'' if place else name:<8} {metric:<9} {format_metric(metric, figure.value):>8}  "
                f"{interval_in_words(metric, figure):<18} {format_metric(metric, entry.baseline[metric]):>8} "
                f"{entry.num_examples:>9,}  {protocol_in_words(entry)}"
            )
    return lines + [f"{name:<8} failed" for name in failures]


GLUE = Command(
    "finetune glue",
    "Fine-tune a MODEL on the GLUE tasks in a folder: a RUN per task, and a table of all figures.",
    GlueOptions,
    _run,
    _show,
    "bertsmith finetune glue --model runs/books --data data/glue --tasks MRPC,RTE,STS-B,CoLA --seeds 3 --out runs/glue",
)

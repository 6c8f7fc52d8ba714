"""bertsmith finetune."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.evaluate import calibration_line
from bertsmith.cli.figures import figure_lines
from bertsmith.cli.finetune_glue import GLUE
from bertsmith.cli.verdicts import head_verdict
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.run import FILE as RUN_RECORD
from bertsmith.reporting.numbers import most_of
from bertsmith.runtime.console import wrapped
from bertsmith.runtime.files import read_json
from bertsmith.runtime.program import runnable
from bertsmith.tasks.registry import TASKS


def _run(options: FinetuneOptions) -> Iterable[Answer]:
    from bertsmith.tasks.file_checks import check_task_files
    from bertsmith.tasks.files.labelled_file import Columns

    check_task_files(options.task, options.train, (options.dev, options.test), columns=Columns.of(options))
    from bertsmith.verbs.finetune import finetune

    yield finetune(options)


def _show(result: Any) -> str:
    if not result.metrics:
        return "Nothing was trained (--dry-run)."
    record, most = FinetuningRecord.read(result.run / RUN_RECORD), most_of(result.metrics)
    lines = [f"{result.run} is ready: {_seeds(result)}", *head_verdict(record), ""]
    figures = [(name, figure["mean"], figure) for name, figure in result.metrics.items()]
    lines += figure_lines(figures, most, result.baseline)
    if result.best_seed_metrics is not None:
        lines.append(f"The RUN holds seed {result.best_seed}, the best on the dev file, with these figures:")
        lines += figure_lines([(name, it["value"], it) for name, it in result.best_seed_metrics.items()], most)
    if result.calibration is not None:
        lines.append(calibration_line(result.calibration))
    if result.search is not None:
        from bertsmith.records.search import SearchReport
        from bertsmith.reporting.search_sections import outcome

        lines.append(wrapped(f"Search: {outcome(SearchReport(**result.search))}"))
    if result.selected_on_reported_data:
        chosen = "The checkpoint was" if result.search is None else "Settings and checkpoint were"
        lines.append(
            wrapped(f"{chosen} chosen on the same examples, so these figures are slightly too good. Try: --test FILE")
        )
    lines.append(f"  report               {result.run}/report.html")
    task = TASKS[record.task]
    arguments = task.module("command").COMMAND.arguments(read_json(result.run / "config.json"))
    lines += ["", "Next:", f"  {runnable(f'bertsmith {task.verb}')} {quote(str(result.run))} {arguments}"]
    return "\n".join(lines)


def _seeds(result: Any) -> str:
    """Name the seed of the RUN, and the seeds of the figures."""
    seeds = len(next(iter(result.metrics.values()))["seeds"])
    return f"trained with seed {result.best_seed}" + (f", the best of {seeds}; figures are means" if seeds > 1 else "")


COMMAND = Command(
    "finetune",
    "Fine-tune a MODEL on labelled text, with one or several seeds; the best seed becomes the RUN.",
    FinetuneOptions,
    _run,
    _show,
    "bertsmith finetune sequence-classification --model runs/books --train train.csv --dev dev.csv --out runs/reviews",
    words={"glue": GLUE},
)

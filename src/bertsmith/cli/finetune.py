"""bertsmith finetune."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.evaluate import calibration_line
from bertsmith.cli.figures import figure_lines
from bertsmith.cli.finetune_glue import GLUE
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.reporting.numbers import most_of
from bertsmith.runtime.files import read_json
from bertsmith.runtime.program import runnable
from bertsmith.tasks.registry import TASKS


def _run(options: FinetuneOptions) -> Iterable[Answer]:
    from bertsmith.tasks.files.labelled_file import Columns
    from bertsmith.tasks.first_look import check_task_files

    check_task_files(options.task, options.train, (options.dev, options.test), columns=Columns.of(options))
    from bertsmith.verbs.finetune import finetune

    yield finetune(options)


def _show(result: Any) -> str:
    if not result.metrics:
        return "nothing was trained (--dry-run)"
    most = most_of(result.metrics)
    lines = [f"{result.run}: {_figures_of(result)}"]
    figures = [(name, figure["mean"], figure) for name, figure in result.metrics.items()]
    lines += figure_lines(figures, most, result.baseline)
    if result.best_seed_metrics is not None:
        lines.append(f"The RUN is seed {result.best_seed}, the best one on the dev file. Its own figures:")
        lines += figure_lines([(name, it["value"], it) for name, it in result.best_seed_metrics.items()], most)
    if result.calibration is not None:
        lines.append(calibration_line(result.calibration))
    if result.search is not None:
        from bertsmith.records.search import SearchReport
        from bertsmith.reporting.search import outcome

        lines.append(f"  search: {outcome(SearchReport(**result.search))}")
    if result.selected_on_reported_data:
        chosen = "the best checkpoint was" if result.search is None else "settings and checkpoint were"
        lines.append(f"  {chosen} chosen on these examples; --test FILE avoids this")
    lines.append(f"  report               {result.run}/report.html")
    task = TASKS[read_json(result.run / "run.json")["task"]]
    arguments = task.module("command").COMMAND.arguments(read_json(result.run / "config.json"))
    lines.append(f"Next: {runnable(f'bertsmith {task.verb}')} {quote(str(result.run))} {arguments}")
    return "\n".join(lines)


def _figures_of(result: Any) -> str:
    """What the figures are of."""
    file = "dev" if result.selected_on_reported_data else "test"
    examples = f"{result.num_examples:,} examples of the {file} file"
    seeds = len(next(iter(result.metrics.values()))["seeds"])
    return f"{examples}, means over {seeds} seeds" if seeds > 1 else f"{examples}, seed {result.best_seed}"


COMMAND = Command(
    "finetune",
    "Fine-tune a head on labelled text, with one seed or several; the best seed becomes the RUN.",
    FinetuneOptions,
    _run,
    _show,
    "bertsmith finetune sequence-classification --model runs/books --train train.csv --dev dev.csv --out runs/reviews",
    words={"glue": GLUE},
)

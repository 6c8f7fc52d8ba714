"""What is printed before a fine-tuning: the files, the labels, the number of updates, and the automatic choices."""

from __future__ import annotations

from collections.abc import Iterable

from bertsmith.evaluation.labelled_data import summary
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.records.labelled_files import DataFile
from bertsmith.reporting.numbers import counted, percent
from bertsmith.runtime.console import log_info, warn
from bertsmith.runtime.machine import AutomaticChoice


def announce(data: FinetuningData, settings: HeadSettings, choices: Iterable[AutomaticChoice]) -> None:
    """Print it; warnings about the data are part of it."""
    options = settings.options
    for file in data.files:
        log_info(_in_words(file, settings.max_length))
        most = options.max_train_examples
        if file.part == "train" and most is not None and most > file.examples:
            log_info(f"--max-train-examples {most:,}: there are {file.examples:,}, and all are taken")
    for line in summary(data.report):
        log_info(line)
    for warning in data.report.warnings:
        warn(warning)
    log_info(counted(settings.steps, "update") + (f" for each of {options.seeds} seeds" if options.seeds > 1 else ""))
    for choice in choices:
        log_info(f"{choice.name}: {choice.value} ({choice.reason})")


def _in_words(file: DataFile, length: int) -> str:
    cut = ""
    if file.truncated_texts:
        cut = f", {file.truncated_texts:,} cut at {length} ({percent(file.truncated_texts / file.examples)})"
    if file.windowed_examples:
        cut += f", {file.windowed_examples:,} longer than {length} (read in overlapping windows)"
    of_all = f" (a fixed random part of {file.drawn_from:,})" if file.drawn_from is not None else ""
    return f"{file.name}: {file.examples:,} examples{of_all}, the longest has {file.longest} tokens{cut}"

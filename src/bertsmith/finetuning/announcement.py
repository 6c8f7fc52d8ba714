"""What `finetune` prints before it trains: files, labels and length; with `--verbose` the automatic choices."""

from __future__ import annotations

from collections.abc import Iterable

from bertsmith.errors import shortened
from bertsmith.evaluation.data_audit import summary
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.records.labelled_files import DataFile
from bertsmith.reporting.numbers import counted, percent
from bertsmith.runtime.console import log_detail, log_info, warn
from bertsmith.runtime.machine import AutomaticChoice, machine_summary

SHOWN_LABELS = 5
"""Labels of the training file that are shown with their share; `--verbose` shows 20."""


def announce_finetuning(data: FinetuningData, settings: HeadSettings, choices: Iterable[AutomaticChoice]) -> None:
    """Print files, labels, length and output of the run, and warnings about the data.

    Details are the facts of each file and every automatic choice with its reason.
    """
    options, choices = settings.options, list(choices)
    replaced = " (its head has different labels and is replaced)" if any(it.name == "head" for it in choices) else ""
    log_info(f"Task: {options.task}, with the model {options.model}{replaced}")
    for file in data.files:
        log_info(_describe(file, settings.max_length))
        most = options.max_train_examples
        if file.part == "train" and most is not None and most > file.examples:
            log_info(f"--max-train-examples {most:,}: the file has {file.examples:,} examples, all are used")
    if data.labels:
        log_info(_describe_labels(data.labels, data.report.parts["train"].labels_of))
    seeds = f" for each of {options.seeds} seeds" if options.seeds > 1 else ""
    log_info(
        f"Training: {counted(settings.steps, 'update')} of {counted(options.batch_size, 'example')}{seeds}, "
        f"{machine_summary(choices)}"
    )
    log_info(f"Output: {options.out} (details: --verbose)")
    for line in summary(data.report):
        log_detail(line)
    for choice in choices:
        log_detail(f"{choice.name}: {choice.value} ({choice.reason})")
    for warning in data.report.warnings:
        warn(warning)


def _describe(file: DataFile, length: int) -> str:
    drawn = f" of {file.drawn_from:,}, drawn at random" if file.drawn_from is not None else ""
    cut = ""
    if file.truncated_texts:
        cut = f"; {percent(file.truncated_texts / file.examples)} are cut at {length} tokens (longest: {file.longest})"
    if file.windowed_examples:
        cut += f"; {file.windowed_examples:,} are longer than {length} tokens and are read in overlapping windows"
    return f"{file.part.capitalize()}: {file.name}, {counted(file.examples, 'example')}{drawn}{cut}"


def _describe_labels(labels: dict[str, int], examples: int | None) -> str:
    """The shares of the most frequent labels in the training file; `examples` is given if one can have several."""
    total = max(examples or sum(labels.values()), 1)
    frequent = sorted(labels.items(), key=lambda item: -item[1])[:SHOWN_LABELS]
    named = ", ".join(f"{shortened(label, 30)} {percent(count / total)}" for label, count in frequent)
    more = f" and {len(labels) - SHOWN_LABELS:,} more" if len(labels) > SHOWN_LABELS else ""
    return f"Labels: {named}{more}"

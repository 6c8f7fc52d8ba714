"""A head on a labelled file: its answers, and the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertsmith.evaluation.options import HeadMeasureOptions
from bertsmith.inference.predictor import Predictor
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import log_info, progress, warn
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.encoded_texts import without_tokens
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.records import with_split
from bertsmith.tasks.files.reference import Reference
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.text_checks import warn_truncated
from bertsmith.tasks.values import Inputs


@dataclass(frozen=True)
class LabelledFile:
    """The examples of a labelled file, in the form of their task's head; `name` is the file's."""

    name: str
    examples: list[Any]

    @classmethod
    def read(cls, head: AnyTask, data: str, options: HeadMeasureOptions, *, like: Reference | None) -> LabelledFile:
        """A file, or the test part of a data set, read as the MODEL's training file was (`like`).

        Raises DataError with the place of the first mistake.
        """
        path = with_split(Path(data), "test")
        return cls(str(path), head.read(path, head.columns(replace(Columns.of(options), like=like))))


@dataclass(frozen=True)
class ScoredExamples:
    """The answers of a head to examples, and the labels, all in the head's own form.

    `max_length` is the number of tokens per row that it reads.
    """

    head: AnyTask
    examples: Sequence[Any]
    inputs: Inputs
    outputs: Any
    targets: Any
    max_length: int

    @property
    def truncated_tokens(self) -> int:
        """Tokens of all examples that were cut."""
        return sum(self.inputs.truncated_tokens)


def answers(model: str, task: str, file: LabelledFile, *, options: HeadMeasureOptions) -> ScoredExamples:
    """Let the head of a MODEL answer the examples. The model is in memory only meanwhile.

    Raises DataError for a label that the MODEL does not have, OptionError for a length that it does not take.
    """
    predictor = Predictor(model, precision=options.precision)
    head = task_class(task).for_model(predictor.config, options, model)
    targets = head.targets(file.examples, file.name)
    head.warn_of_spellings(file.examples, file.name)
    length = predictor.row_length(task, options.max_length)
    inputs = head.encode(predictor.tokenizer, file.examples, length)
    if inputs.windowed:
        said = counted(inputs.windowed, "example")
        log_info(f"{file.name}: read in overlapping windows: {said} longer than {length} tokens")
    warn_truncated(inputs, length, "examples")
    if inputs.windowed is None:
        empty = sum(without_tokens(predictor.tokenizer, [item.texts[0] for item in head.items(file.examples)]))
        if empty:
            warn(
                f"the tokenizer drops the text of {empty:,} of {counted(len(file.examples), 'example')}; they count in "
                f"the figures, but `bertsmith {TASKS[task].verb}` gives such texts no answer"
            )
    with progress("evaluating", unit="texts") as bar:
        outputs = predictor.head_outputs(head, inputs, budget=options.batch_size * length, bar=bar)
    return ScoredExamples(head, file.examples, inputs, outputs, targets, length)

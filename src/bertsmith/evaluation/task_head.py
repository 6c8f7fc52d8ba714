"""Run the head of a MODEL on a labelled file."""

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
from bertsmith.tasks.encoded_texts import find_empty_encodings
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.files.table_records import with_split
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.text_checks import warn_truncated
from bertsmith.tasks.values import Inputs


@dataclass(frozen=True)
class LabelledExamples:
    """The examples of the labelled file `name`."""

    name: str
    examples: list[Any]

    @classmethod
    def read(
        cls, head: AnyTask, data: str, options: HeadMeasureOptions, *, reference: FileReference | None
    ) -> LabelledExamples:
        """Read a file, or the test split of a dataset, like the MODEL's training file (`reference`).

        Raises DataError with the location of the first mistake.
        """
        path = with_split(Path(data), "test")
        return cls(str(path), head.read(path, head.columns(replace(Columns.of(options), reference=reference))))


@dataclass(frozen=True)
class ScoredExamples:
    """Examples with the head's inputs, outputs and targets; `max_length` is the number of tokens per row."""

    head: AnyTask
    examples: Sequence[Any]
    inputs: Inputs
    outputs: Any
    targets: Any
    max_length: int

    @property
    def truncated_tokens(self) -> int:
        """Total number of truncated tokens."""
        return sum(self.inputs.truncated_tokens)


def predict_examples(model: str, task: str, file: LabelledExamples, *, options: HeadMeasureOptions) -> ScoredExamples:
    """Run the head of a MODEL on the examples. The model is freed afterwards.

    Raises DataError for a label that the MODEL does not have, OptionError for a length that it does not allow.
    """
    predictor = Predictor(model, precision=options.precision)
    head = task_class(task).for_model(predictor.config, options, model)
    targets = head.targets(file.examples, file.name)
    head.warn_of_spellings(file.examples, file.name)
    length = predictor.row_length(task, options.max_length)
    inputs = head.encode(predictor.tokenizer, file.examples, length)
    if inputs.windowed_examples:
        count = counted(inputs.windowed_examples, "example")
        log_info(f"{file.name}: {count} longer than {length} tokens, read in overlapping windows")
    warn_truncated(inputs, length, "examples")
    if inputs.windowed_examples is None:
        empty = sum(
            find_empty_encodings(predictor.tokenizer, [item.texts[0] for item in head.comparison_items(file.examples)])
        )
        if empty:
            warn(
                f"{empty:,} of {counted(len(file.examples), 'example')} have no token, because the tokenizer drops "
                f"their text; they count in the metrics, but `bertsmith {TASKS[task].verb}` gives no answer to them"
            )
    with progress("evaluating", unit="texts") as bar:
        outputs = predictor.head_outputs(head, inputs, budget=options.batch_size * length, bar=bar)
    return ScoredExamples(head, file.examples, inputs, outputs, targets, length)

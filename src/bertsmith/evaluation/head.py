"""A head on a labelled file: what it answers, and what is true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.evaluate import HeadMeasureOptions
from bertsmith.config.tasks import default_length
from bertsmith.inference.predictor import Predictor
from bertsmith.runtime.console import progress, say
from bertsmith.tasks.head import AnyHead, head_class
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.records import with_split


@dataclass(frozen=True)
class LabelledFile:
    """The examples of a labelled file, in the form of their task's head; `name` is the file's."""

    name: str
    examples: list[Any]

    @classmethod
    def read(cls, task: str, data: str, options: HeadMeasureOptions) -> LabelledFile:
        """A file, or the test part of a data set. Raises DataError with the place of the first mistake."""
        path = with_split(Path(data), "test")
        return cls(str(path), head_class(task).read(path, Columns.of(options)))


@dataclass(frozen=True)
class Answered:
    """What a head says of the examples, and what is true, both in the head's own form.

    Attributes:
        truncated_tokens: tokens of all examples that were cut.
        windowed: examples that were read in several windows, None for a head that cuts.
    """

    head: AnyHead
    outputs: Any
    targets: Any
    truncated_tokens: int
    windowed: int | None


def answers(model: str, task: str, file: LabelledFile, options: HeadMeasureOptions) -> Answered:
    """Let the head of a MODEL answer the examples. The model is in memory only meanwhile.

    Raises DataError for a label that the MODEL does not have.
    """
    predictor = Predictor(model, precision=options.precision)
    head = head_class(task).for_model(predictor.config, options.problem_type, model)
    targets = head.targets(file.examples, file.name)
    length = min(options.max_length or default_length(task), predictor.max_length)
    inputs = head.encode(predictor.tokenizer, file.examples, length)
    if inputs.windowed:
        say(f"{file.name}: {inputs.windowed:,} examples longer than {length} tokens are read in overlapping windows")
    with progress("evaluating", unit="texts") as bar:
        outputs = predictor.head_outputs(head, inputs, options.batch_size * length, bar)
    return Answered(head, outputs, targets, sum(inputs.truncated_tokens), inputs.windowed)

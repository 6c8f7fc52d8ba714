"""A head on a labelled file: what it answers, and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.evaluate import HeadMeasureOptions
from bertsmith.config.tasks import default_length
from bertsmith.inference.predictor import Predictor
from bertsmith.runtime.console import progress, say
from bertsmith.tasks.head import AnyHead, Inputs, head_class
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
    """What a head says of examples, and what is true, all in the head's own form.

    `max_length` is how many tokens of a row it reads.
    """

    head: AnyHead
    examples: Sequence[Any]
    inputs: Inputs
    outputs: Any
    targets: Any
    max_length: int

    @property
    def truncated_tokens(self) -> int:
        """Tokens of all examples that were cut."""
        return sum(self.inputs.truncated_tokens)


def answers(model: str, task: str, file: LabelledFile, options: HeadMeasureOptions) -> Answered:
    """Let the head of a MODEL answer the examples. The model is in memory only meanwhile.

    Raises DataError for a label that the MODEL does not have.
    """
    predictor = Predictor(model, precision=options.precision)
    head = head_class(task).for_model(predictor.config, options.problem_type, model)
    targets = head.targets(file.examples, file.name)
    head.warn_of_spellings(file.examples, file.name)
    length = min(options.max_length or default_length(task), predictor.max_length)
    inputs = head.encode(predictor.tokenizer, file.examples, length)
    if inputs.windowed:
        say(f"{file.name}: {inputs.windowed:,} examples longer than {length} tokens are read in overlapping windows")
    with progress("evaluating", unit="texts") as bar:
        outputs = predictor.head_outputs(head, inputs, options.batch_size * length, bar)
    return Answered(head, file.examples, inputs, outputs, targets, length)

"""multiple-choice: which of several texts goes with a prompt (SWAG: Zellers et al. 2018; Devlin et al. 2019, 4.4).

Each choice is read as a pair with the prompt and has one score; the softmax over an example's choices makes them
probabilities.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.errors import ModelError, OptionError
from bertsmith.metrics.classification import accuracy
from bertsmith.metrics.measurements import Measurement
from bertsmith.metrics.probabilities import log_softmax, softmax
from bertsmith.runtime.console import log_info
from bertsmith.tasks.base import Task
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.reference import Reference
from bertsmith.tasks.multiple_choice.choice_file import Question, read_questions, reference_of
from bertsmith.tasks.multiple_choice.choice_labels import FROM_1, POSITIONS
from bertsmith.tasks.multiple_choice.encoding import EncodedChoices, batch_of_choices, encode_choices
from bertsmith.tasks.values import (
    MISSING_LOGIT,
    SINGLE_LABEL,
    Batch,
    ComparisonItem,
    Decisions,
    Ints,
    LabelledPrediction,
    Logits,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

LABELS_FROM_KEY = "choice_labels_from"
"""The key in a model's configuration of the number of the first choice, 0 or 1, in the labels of its training file."""

Scores = list[Logits]
"""For each example float32 of [its choices]: the model's scores (logits)."""


def probabilities(scores: Logits, temperature: float = 1.0) -> list[float]:
    """The softmax over the choices of one example."""
    found: list[float] = softmax(scores, temperature).tolist()
    return found


class MultipleChoice(Task[Question, EncodedChoices, Ints, Scores]):
    """One row of choices and one score per choice for each example; pairs beyond the length are cut."""

    auto_class = "AutoModelForMultipleChoice"
    pipeline_tag = "multiple-choice"
    called = "multiple-choice head"
    config_keys = (LABELS_FROM_KEY,)
    has_probabilities = True

    # Labels

    @classmethod
    def for_training(cls, examples: Sequence[Question], options: TaskOptions) -> MultipleChoice:
        """The task, which has no labels: the index of the right choice is no class."""
        if options.problem_type != SINGLE_LABEL:
            raise OptionError(f"--problem-type {options.problem_type}: of a question's choices one is right")
        task = cls()
        if examples[0].form in POSITIONS:
            task.chosen = {LABELS_FROM_KEY: POSITIONS.index(examples[0].form)}
        return task

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> MultipleChoice:
        """The task of any MODEL with such a head."""
        if options is not None and options.problem_type is not None:
            raise OptionError(
                f"--problem-type {options.problem_type}: {name} chooses one of several texts; leave it out"
            )
        return cls().with_model_temperature(config, name)

    def config_values(self) -> dict[str, Any]:
        """Nothing: a model scores any number of choices."""
        return {}

    def targets(self, examples: Sequence[Question], where: str) -> Ints:
        """int64 of [examples]: the index of the right choice."""
        return np.array([example.label for example in examples], dtype=np.int64)

    def label_counts(self, examples: Sequence[Question]) -> Mapping[str, int]:
        """How often the right choice is at each index."""
        counts = Counter(example.label for example in examples)
        return {str(index): counts[index] for index in range(max(len(example.choices) for example in examples))}

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Question]:
        """The questions of CSV, TSV or JSON lines."""
        return read_questions(path, columns)

    @classmethod
    def reference(cls, examples: Sequence[Question], path: Path) -> Reference:
        """The form of the labels."""
        return reference_of(examples, path)

    @classmethod
    def reference_of_model(cls, config: Any, name: str) -> Reference | None:
        """Whether the labels were counted from 0 or from 1."""
        said = getattr(config, LABELS_FROM_KEY, None)
        if said is None:
            return None
        if said not in (0, 1):
            raise ModelError(f"{name}: {LABELS_FROM_KEY} in its config.json is {said!r}, expected 0 or 1")
        return Reference(f"the training file of {name}", of_model=True, choice_labels=POSITIONS[said])

    def read_unlabelled(self, path: Path, columns: Columns) -> list[Question]:
        """The questions."""
        return read_questions(path, columns, stand_in=0)

    def items(self, examples: Sequence[Question]) -> Iterator[ComparisonItem]:
        """The prompt with its choices, and the index of the right one."""
        for question in examples:
            yield ComparisonItem((question.prompt, *question.choices), str(question.label), question.place)

    def predictions(self, examples: Sequence[Question], outputs: Scores) -> Iterator[str]:
        """JSON lines: the prompt, the index of the right choice, and the answer of `choose`."""
        if examples[0].form == FROM_1 and all(example.label < len(example.choices) - 1 for example in examples):
            log_info("score cannot see that these labels count from 1; with --labels-from 1 it gives the same figures")
        for example, scores in zip(examples, outputs, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, self.temperature)
            answer = {"choice": example.choices[index], "index": index, "probabilities": shares}
            yield json.dumps({"prompt": example.prompt, "gold": example.label, **answer}, ensure_ascii=False)

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[Question], max_length: int) -> EncodedChoices:
        """As `encode_choices`."""
        prompts, choices = [example.prompt for example in examples], [example.choices for example in examples]
        return encode_choices(tokenizer, prompts, choices, max_length=max_length)

    def batch(self, inputs: EncodedChoices, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> Batch:
        """int64 of [rows, choices, length]."""
        return batch_of_choices(inputs, rows, pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedChoices, targets: Ints, rows: Sequence[int]) -> Ints:
        """int64 of [rows, 2]: the index of the right choice, and the number of choices."""
        return np.array([[int(targets[row]), len(inputs.choices(row))] for row in rows], dtype=np.int64)

    def soft_targets(self, inputs: EncodedChoices, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """float32 of [rows, choices]."""
        counts = [len(inputs.choices(row)) for row in rows]
        soft = np.full((len(rows), max(counts)), MISSING_LOGIT, dtype=np.float32)
        for place, (row, count) in enumerate(zip(rows, counts, strict=True)):
            soft[place, :count] = logits(row)
        return soft

    # Prediction

    def keep(self, outputs: ModelOutputs, inputs: EncodedChoices, rows: Sequence[int]) -> Iterator[Logits]:
        """The scores of each example's own choices."""
        for row, scores in zip(rows, outputs["logits"], strict=True):
            yield scores[: len(inputs.choices(row))]

    def join(self, kept: Sequence[Logits], inputs: EncodedChoices) -> Scores:
        """The scores of all examples."""
        return list(kept)

    def decisions(self, outputs: Scores, targets: Ints) -> Decisions:
        """One per example; an example with fewer choices than another lacks the last ones."""
        logits = np.full((len(outputs), max(map(len, outputs))), -np.inf)
        for row, scores in enumerate(outputs):
            logits[row, : len(scores)] = scores
        return Decisions(logits, targets)

    def some(self, outputs: Scores, targets: Ints, numbers: Ints) -> tuple[Scores, Ints]:
        """The examples."""
        return [outputs[number] for number in numbers], targets[numbers]

    # Scoring

    @property
    def main_metric(self) -> str:
        """The only one."""
        return "accuracy"

    def measure(self, outputs: Scores, targets: Ints) -> dict[str, Measurement]:
        """`accuracy`."""
        indices = np.array([int(scores.argmax()) for scores in outputs], dtype=np.int64)
        return {"accuracy": accuracy.measure(targets, indices)}

    @property
    def baseline_answer(self) -> str:
        """A position."""
        return "always choosing the same position"

    def baseline(self, train: Ints, targets: Ints) -> dict[str, float]:
        """Always the most frequent index."""
        return {"accuracy": accuracy(targets, np.full_like(targets, np.bincount(train).argmax()))}

    # Errors

    @property
    def error(self) -> str:
        """The loss of an example."""
        return "loss"

    def labelled_predictions(
        self, examples: Sequence[Question], outputs: Scores, targets: Ints
    ) -> Iterator[LabelledPrediction]:
        """The choices; the loss is in nats."""
        for example, scores in zip(examples, outputs, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, self.temperature)
            loss = -float(log_softmax((scores / self.temperature).astype(np.float64))[example.label])
            true, said = (f"{number}: {example.choices[number]}" for number in (example.label, index))
            yield LabelledPrediction(true, said, index != example.label, loss, shares[index])


TASK = MultipleChoice

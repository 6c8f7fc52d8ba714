"""multiple-choice: choose the text that goes with a prompt (SWAG: Zellers et al. 2018; Devlin et al. 2019, 4.4).

The model reads each choice as a pair with the prompt and gives it a score; the softmax over an example's choices turns
scores into probabilities.
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
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.multiple_choice.choice_file import ChoiceQuestion, choice_reference, read_choice_questions
from bertsmith.tasks.multiple_choice.choice_labels import FROM_1, POSITIONS
from bertsmith.tasks.multiple_choice.encoding import EncodedChoices, batch_of_choices, encode_choices
from bertsmith.tasks.values import (
    MISSING_LOGIT,
    SINGLE_LABEL,
    ComparisonItem,
    Decisions,
    Ints,
    LabelledPrediction,
    Logits,
    ModelInputs,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

LABELS_FROM_KEY = "choice_labels_from"
"""The configuration key of the number of the first choice, 0 or 1, in the labels of the training file."""

Scores = list[Logits]
"""The model's scores (logits) per example: float32 of [choices]."""


def probabilities(scores: Logits, temperature: float = 1.0) -> list[float]:
    """Return the softmax over the choices of one example."""
    found: list[float] = softmax(scores, temperature).tolist()
    return found


class MultipleChoice(Task[ChoiceQuestion, EncodedChoices, Ints, Scores]):
    """One row of choices and one score per choice for each example; long pairs are truncated."""

    auto_class = "AutoModelForMultipleChoice"
    pipeline_tag = "multiple-choice"
    head_name = "multiple-choice head"
    config_keys = (LABELS_FROM_KEY,)
    has_probabilities = True

    # Labels

    @classmethod
    def for_training(cls, examples: Sequence[ChoiceQuestion], options: TaskOptions) -> MultipleChoice:
        """Return the task. It has no labels: the index of the correct choice is not a class."""
        if options.problem_type != SINGLE_LABEL:
            raise OptionError(
                f"--problem-type {options.problem_type} is not for multiple-choice, where one choice is correct"
            )
        task = cls()
        if examples[0].label_format in POSITIONS:
            task.fitted_values = {LABELS_FROM_KEY: POSITIONS.index(examples[0].label_format)}
        return task

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> MultipleChoice:
        """Return the task of a MODEL with such a head."""
        if options is not None and options.problem_type is not None:
            raise OptionError(
                f"--problem-type {options.problem_type}: {name} is a multiple-choice model. Try: leave the option out"
            )
        return cls().with_model_temperature(config, name)

    def config_values(self) -> dict[str, Any]:
        """Return nothing: a model scores any number of choices."""
        return {}

    def targets(self, examples: Sequence[ChoiceQuestion], where: str) -> Ints:
        """Return the index of the correct choice: int64 of [examples]."""
        return np.array([example.label for example in examples], dtype=np.int64)

    def label_counts(self, examples: Sequence[ChoiceQuestion]) -> Mapping[str, int]:
        """Count how often the correct choice is at each index."""
        counts = Counter(example.label for example in examples)
        return {str(index): counts[index] for index in range(max(len(example.choices) for example in examples))}

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[ChoiceQuestion]:
        """Read the questions of CSV, TSV or JSON lines."""
        return read_choice_questions(path, columns)

    @classmethod
    def reference(cls, examples: Sequence[ChoiceQuestion], path: Path) -> FileReference:
        """Return the label format of the training file."""
        return choice_reference(examples, path)

    @classmethod
    def reference_of_model(cls, config: Any, name: str) -> FileReference | None:
        """Return whether the labels of the training file count from 0 or from 1."""
        first = getattr(config, LABELS_FROM_KEY, None)
        if first is None:
            return None
        if first not in (0, 1):
            raise ModelError(f"{name}: {LABELS_FROM_KEY} in its config.json is {first!r}, expected 0 or 1")
        return FileReference(f"the training file of {name}", is_from_model=True, choice_labels=POSITIONS[first])

    def read_unlabelled(self, path: Path, columns: Columns) -> list[ChoiceQuestion]:
        """Read the questions without their labels."""
        return read_choice_questions(path, columns, placeholder_label=0)

    def comparison_items(self, examples: Sequence[ChoiceQuestion]) -> Iterator[ComparisonItem]:
        """Return the prompt with its choices, and the index of the correct choice."""
        for question in examples:
            yield ComparisonItem((question.prompt, *question.choices), str(question.label), question.place)

    def predictions(self, examples: Sequence[ChoiceQuestion], outputs: Scores) -> Iterator[str]:
        """Yield JSON lines: the prompt, the index of the correct choice, and the answer of `choose`."""
        if examples[0].label_format == FROM_1 and all(example.label < len(example.choices) - 1 for example in examples):
            log_info("to score these predictions, give --labels-from 1: `score` cannot detect that labels count from 1")
        for example, scores in zip(examples, outputs, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, self.temperature)
            answer = {"choice": example.choices[index], "index": index, "probabilities": shares}
            yield json.dumps({"prompt": example.prompt, "gold": example.label, **answer}, ensure_ascii=False)

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[ChoiceQuestion], max_length: int) -> EncodedChoices:
        """Encode as `encode_choices`."""
        prompts, choices = [example.prompt for example in examples], [example.choices for example in examples]
        return encode_choices(tokenizer, prompts, choices, max_length=max_length)

    def batch(self, inputs: EncodedChoices, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> ModelInputs:
        """Return a batch: int64 of [rows, choices, length]."""
        return batch_of_choices(inputs, rows, pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedChoices, targets: Ints, rows: Sequence[int]) -> Ints:
        """Return the index of the correct choice, and the number of choices: int64 of [rows, 2]."""
        return np.array([[int(targets[row]), len(inputs.choices(row))] for row in rows], dtype=np.int64)

    def soft_targets(self, inputs: EncodedChoices, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """Return the teacher's scores: float32 of [rows, choices]."""
        counts = [len(inputs.choices(row)) for row in rows]
        soft = np.full((len(rows), max(counts)), MISSING_LOGIT, dtype=np.float32)
        for place, (row, count) in enumerate(zip(rows, counts, strict=True)):
            soft[place, :count] = logits(row)
        return soft

    # Prediction

    def extract_outputs(self, outputs: ModelOutputs, inputs: EncodedChoices, rows: Sequence[int]) -> Iterator[Logits]:
        """Yield the scores of each example without padding."""
        for row, scores in zip(rows, outputs["logits"], strict=True):
            yield scores[: len(inputs.choices(row))]

    def gather_outputs(self, kept: Sequence[Logits], inputs: EncodedChoices) -> Scores:
        """Return the scores of all examples."""
        return list(kept)

    def decisions(self, outputs: Scores, targets: Ints) -> Decisions:
        """Return one decision per example; examples with fewer choices have minus infinity for the others."""
        logits = np.full((len(outputs), max(map(len, outputs))), -np.inf)
        for row, scores in enumerate(outputs):
            logits[row, : len(scores)] = scores
        return Decisions(logits, targets)

    def select_examples(self, outputs: Scores, targets: Ints, numbers: Ints) -> tuple[Scores, Ints]:
        """Return the scores and targets of some examples."""
        return [outputs[number] for number in numbers], targets[numbers]

    # Scoring

    @property
    def main_metric(self) -> str:
        """Accuracy, the only metric."""
        return "accuracy"

    def measure(self, outputs: Scores, targets: Ints) -> dict[str, Measurement]:
        """Return `accuracy`."""
        indices = np.array([int(scores.argmax()) for scores in outputs], dtype=np.int64)
        return {"accuracy": accuracy.measure(targets, indices)}

    @property
    def baseline_answer(self) -> str:
        """Always the same position."""
        return "always choosing the same position"

    def baseline(self, train: Ints, targets: Ints) -> dict[str, float]:
        """Return the accuracy of always choosing the most frequent index."""
        return {"accuracy": accuracy(targets, np.full_like(targets, np.bincount(train).argmax()))}

    # Errors

    @property
    def error_name(self) -> str:
        """The loss of an example, in nats."""
        return "loss"

    def labelled_predictions(
        self, examples: Sequence[ChoiceQuestion], outputs: Scores, targets: Ints
    ) -> Iterator[LabelledPrediction]:
        """Yield the correct and the chosen text of each example, with its loss."""
        for example, scores in zip(examples, outputs, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, self.temperature)
            loss = -float(log_softmax((scores / self.temperature).astype(np.float64))[example.label])
            label, predicted = (f"{number}: {example.choices[number]}" for number in (example.label, index))
            yield LabelledPrediction(label, predicted, index != example.label, loss, shares[index])


TASK = MultipleChoice

"""multiple-choice: which of several texts goes with a prompt (SWAG: Zellers et al. 2018; Devlin et al. 2019, 4.4).

Each choice is read as a pair with the prompt and has one score; the softmax over an example's choices makes them
probabilities. Examples may have unequal numbers of choices. A batch is [examples, choices, length] of ids as stock's
model takes it, filled up with choices of one padding token, whose scores count for nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import ModelError, OptionError
from bertsmith.metrics.classification import accuracy
from bertsmith.metrics.measurements import Measurement
from bertsmith.runtime.console import say
from bertsmith.tasks.base import SINGLE_LABEL, Decisions, Head, Item, Judged, Logits
from bertsmith.tasks.encoded_texts import Encoded, encode, padded
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.reference import LABELS_FROM_KEY, Reference
from bertsmith.tasks.multiple_choice.choice_file import Question, read_questions, reference_of
from bertsmith.tasks.multiple_choice.choice_labels import FROM_1, POSITIONS
from bertsmith.tasks.soft_targets import NOT_THERE, soft_losses
from bertsmith.tasks.token_classification.tag_kinds import LabelsAre

Ints = npt.NDArray[np.int64]
Scores = list[npt.NDArray[np.float32]]
"""For each example float32 of [its choices]: the model's scores (logits)."""


@dataclass(frozen=True)
class EncodedChoices:
    """Prompts with their choices as ids.

    Attributes:
        pairs: the ids of every choice with its prompt, one example behind the other.
        starts: int64 of [examples + 1]: where the choices of each example begin in them.
    """

    pairs: Encoded
    starts: Ints

    def choices(self, row: int) -> range:
        """The numbers of an example's pairs."""
        return range(int(self.starts[row]), int(self.starts[row + 1]))

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example with its padding: its choices times the longest of them."""
        longest = np.maximum.reduceat(np.array(self.pairs.lengths), self.starts[:-1])
        tokens: list[int] = (longest * np.diff(self.starts)).tolist()
        return tokens

    @property
    def full_lengths(self) -> list[int]:
        """Tokens of the longest choice of each example with the prompt, before anything is cut."""
        longest: list[int] = np.maximum.reduceat(np.array(self.pairs.full_lengths), self.starts[:-1]).tolist()
        return longest

    @property
    def truncated_tokens(self) -> list[int]:
        """How many tokens of all choices of each example were cut."""
        cut: list[int] = np.add.reduceat(np.array(self.pairs.truncated_tokens), self.starts[:-1]).tolist()
        return cut

    @property
    def windowed(self) -> int | None:
        """None: what is too long is cut."""
        return None


def encode_choices(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], choices: Sequence[Sequence[str]], max_length: int
) -> EncodedChoices:
    """Every choice as the second text of a pair with its prompt, cut as pairs are."""
    counts = [len(found) for found in choices]
    first = [prompt for prompt, count in zip(prompts, counts, strict=True) for _ in range(count)]
    second = [choice for found in choices for choice in found]
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return EncodedChoices(encode(tokenizer, first, second, max_length), starts)


def probabilities(scores: npt.NDArray[np.float32], temperature: float = 1.0) -> list[float]:
    """The softmax over the choices of one example."""
    found: list[float] = torch.from_numpy(scores / temperature).softmax(-1).tolist()
    return found


class MultipleChoice(Head[Question, EncodedChoices, Ints, Scores]):
    """One row of choices and one score a choice for each example; pairs beyond the length are cut."""

    auto_class = "AutoModelForMultipleChoice"
    pipeline_tag = "multiple-choice"
    called = "multiple-choice head"

    def __init__(self, labels: Sequence[str] = (), problem_type: str = "") -> None:
        super().__init__(labels, problem_type)

    @classmethod
    def for_training(
        cls, examples: Sequence[Question], problem_type: str, *, labels_are: LabelsAre | None = None
    ) -> MultipleChoice:
        """The head, which has no labels: the index of the right choice is no class."""
        if problem_type != SINGLE_LABEL:
            raise OptionError(f"--problem-type {problem_type}: of a question's choices one is right")
        head = cls()
        if examples[0].form in POSITIONS:
            head.chosen = {LABELS_FROM_KEY: POSITIONS.index(examples[0].form)}
        return head

    @classmethod
    def for_model(cls, config: Any, problem_type: str | None, name: str) -> MultipleChoice:
        """The head of any MODEL that has one."""
        if problem_type is not None:
            raise OptionError(f"--problem-type {problem_type}: {name} chooses one of several texts; leave it out")
        return cls().with_temperature_of(config, name)

    def config_values(self) -> dict[str, Any]:
        """Nothing: a model scores any number of choices."""
        return {}

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

    def targets(self, examples: Sequence[Question], where: str) -> Ints:
        """int64 of [examples]: the index of the right choice."""
        return np.array([example.label for example in examples], dtype=np.int64)

    def label_counts(self, examples: Sequence[Question]) -> Mapping[str, int]:
        """How often the right choice stands at each index."""
        counts = Counter(example.label for example in examples)
        return {str(index): counts[index] for index in range(max(len(example.choices) for example in examples))}

    def items(self, examples: Sequence[Question]) -> Iterator[Item]:
        """The prompt with its choices, and the index of the right one."""
        for question in examples:
            yield Item((question.prompt, *question.choices), str(question.label), question.place)

    def predictions(self, examples: Sequence[Question], outputs: Scores) -> Iterator[str]:
        """JSON lines: the prompt, the index of the right choice, and the answer of `choose`."""
        if examples[0].form == FROM_1 and all(example.label < len(example.choices) - 1 for example in examples):
            say("score cannot see that these labels count from 1; with --labels-from 1 it gives the same figures")
        for example, scores in zip(examples, outputs, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, self.temperature)
            answer = {"choice": example.choices[index], "index": index, "probabilities": shares}
            yield json.dumps({"prompt": example.prompt, "gold": example.label, **answer}, ensure_ascii=False)

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Question], max_length: int
    ) -> EncodedChoices:
        """As `encode_choices`."""
        prompts, choices = [example.prompt for example in examples], [example.choices for example in examples]
        return encode_choices(tokenizer, prompts, choices, max_length)

    def batch(
        self, inputs: EncodedChoices, rows: Sequence[int], pad_token_id: int, *, with_types: bool
    ) -> dict[str, Tensor]:
        """int64 of [rows, choices, length]. A choice that a row lacks is one token of padding, which it attends to."""
        counts = torch.tensor([len(inputs.choices(row)) for row in rows])
        there = torch.arange(int(counts.max())) < counts[:, None]
        flat = padded(
            inputs.pairs, [pair for row in rows for pair in inputs.choices(row)], pad_token_id, with_types=with_types
        )
        empty = {"input_ids": pad_token_id, "attention_mask": 0, "token_type_ids": 0}
        batch = {}
        for name, values in flat.items():
            batch[name] = torch.full((*there.shape, values.shape[1]), empty[name])
            batch[name][there] = values
        batch["attention_mask"][~there, 0] = 1
        return batch

    def gold(self, inputs: EncodedChoices, targets: Ints, rows: Sequence[int]) -> Tensor:
        """int64 of [rows, 2]: the index of the right choice, and how many choices there are."""
        return torch.tensor([[int(targets[row]), len(inputs.choices(row))] for row in rows])

    def loss_count(self, gold: Tensor) -> int:
        """One loss an example."""
        return len(gold)

    def loss_sum(self, output: Any, gold: Tensor) -> Tensor:
        """Cross-entropy in nats over the choices that an example has, summed over the examples."""
        scores = output.logits.float()
        missing = torch.arange(scores.shape[1], device=scores.device) >= gold[:, 1:]
        return functional.cross_entropy(scores.masked_fill(missing, -torch.inf), gold[:, 0], reduction="sum")

    def soft_targets(self, inputs: EncodedChoices, logits: Callable[[int], Logits], rows: Sequence[int]) -> Tensor:
        """float32 of [rows, choices]."""
        soft = torch.full((len(rows), max(len(inputs.choices(row)) for row in rows)), NOT_THERE)
        for place, row in enumerate(rows):
            soft[place, : len(inputs.choices(row))] = torch.from_numpy(logits(row))
        return soft

    def soft_loss_sum(self, output: Any, soft: Tensor, gold: Tensor, temperature: float) -> Tensor:
        """One loss an example, over the choices that it has."""
        scores = output.logits.float()
        missing = torch.arange(scores.shape[1], device=scores.device) >= gold[:, 1:]
        return soft_losses(scores.masked_fill(missing, NOT_THERE), soft, temperature).sum()

    def keep(self, output: Any, inputs: EncodedChoices, rows: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
        """The scores of each example's own choices."""
        for row, scores in zip(rows, output.logits.float().cpu().numpy(), strict=True):
            yield scores[: len(inputs.choices(row))]

    def join(self, kept: Sequence[npt.NDArray[np.float32]], inputs: EncodedChoices) -> Scores:
        """The scores of all examples."""
        return list(kept)

    @property
    def has_probabilities(self) -> bool:
        """Over the choices."""
        return True

    def decisions(self, outputs: Scores, targets: Ints) -> Decisions:
        """An example each; one of fewer choices than another lacks the last ones."""
        logits = np.full((len(outputs), max(map(len, outputs))), -np.inf)
        for row, scores in enumerate(outputs):
            logits[row, : len(scores)] = scores
        return Decisions(logits, targets)

    @property
    def main_metric(self) -> str:
        """The only one."""
        return "accuracy"

    def measure(self, outputs: Scores, targets: Ints) -> dict[str, Measurement]:
        """`accuracy`."""
        return {"accuracy": accuracy.measure(targets, _indices(outputs))}

    @property
    def baseline_answer(self) -> str:
        """A position."""
        return "always choosing the same position"

    def baseline(self, train: Ints, targets: Ints) -> dict[str, float]:
        """Always the most frequent index."""
        return {"accuracy": accuracy(targets, np.full_like(targets, np.bincount(train).argmax()))}

    # Look at errors

    @property
    def error(self) -> str:
        """The loss of an example."""
        return "loss"

    def judged(self, examples: Sequence[Question], outputs: Scores, targets: Ints) -> Iterator[Judged]:
        """The choices; the loss is in nats."""
        for example, scores in zip(examples, outputs, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, self.temperature)
            loss = -float(torch.from_numpy(scores / self.temperature).double().log_softmax(-1)[example.label])
            true, said = (f"{number}: {example.choices[number]}" for number in (example.label, index))
            yield Judged(true, said, index != example.label, loss, shares[index])

    def some(self, outputs: Scores, targets: Ints, numbers: Ints) -> tuple[Scores, Ints]:
        """The examples."""
        return [outputs[number] for number in numbers], targets[numbers]


def _indices(outputs: Scores) -> Ints:
    """int64 of [examples]: the choice with the highest score."""
    return np.array([int(scores.argmax()) for scores in outputs], dtype=np.int64)


TASK = MultipleChoice

"""What a head is: everything that `finetune`, `evaluate` and the Predictor know of a task.

Examples go through a head in this order, and what a step gives is opaque to everyone but the head itself:

    file --read--> examples --encode--> inputs --batch--> the model --keep--> rows --join--> outputs --score--> figures
                            --targets-> targets --gold--> the loss                                   --judged-> errors

The inputs are rows of ids: one an example, or several where an example is read in windows. A batch is some rows. Losses
are sums, which the Trainer divides by the counts of the whole update. `keep` takes from a batch's outputs what scoring
needs, so that memory never holds the logits of a whole file.

A new head is a subclass of `Head` as HEAD of a module in this package, and its name in `config/tasks.py`.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import ModelError, shortened
from bertsmith.metrics.calibration import fitted_temperature
from bertsmith.metrics.entities import Counts
from bertsmith.metrics.measurements import Measurement
from bertsmith.metrics.resampling import Interval, intervals
from bertsmith.tasks.files.labelled_file import Columns, in_order
from bertsmith.tasks.files.reference import KEYS, Reference
from bertsmith.tasks.registry import TASKS, trainable_tasks
from bertsmith.tasks.token_classification.tag_kinds import LABELS_ARE, LabelsAre

SINGLE_LABEL = "single_label_classification"
"""The problem type that every head has; only sequence-classification has others."""
MULTI_LABEL = "multi_label_classification"
"""That of texts with several labels, or none."""
TEMPERATURE = "calibration_temperature"
"""The name in a model's configuration of what its logits are divided by before they are made probabilities."""
NO_ANSWER_THRESHOLD = "no_answer_threshold"
"""The name in a model's configuration of the probability of no answer above which a question is left unanswered."""
INPUT_LENGTH = "input_length"
"""The name in a model's configuration of the tokens per row that its head was trained and measured with. (transformers
itself reads `max_length` there, as a setting of text generation.)"""


Logits = npt.NDArray[np.float32]


class Inputs(Protocol):
    """Examples as rows of ids."""

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        ...

    @property
    def full_lengths(self) -> list[int]:
        """Tokens of each example, before anything is cut or divided."""
        ...

    @property
    def truncated_tokens(self) -> list[int]:
        """Tokens of each example that no row holds."""
        ...

    @property
    def windowed(self) -> int | None:
        """How many examples are read in several windows; None for a head that cuts instead."""
        ...


@dataclass(frozen=True)
class Item:
    """What examples are compared by: the text or texts, what is true of them as one text, and the place in the file."""

    texts: tuple[str, ...]
    label: str
    place: str


@dataclass(frozen=True)
class Judged:
    """What a model says of an example beside what is true of it, as texts.

    Attributes:
        true, predicted: in words.
        wrong: whether they differ; numbers always do.
        error: how wrong it is, more is worse; what it is, the head's `error` says.
        probability: of what was predicted; None where the head has none.
    """

    true: str
    predicted: str
    wrong: bool
    error: float
    probability: float | None = None


@dataclass(frozen=True)
class Decisions:
    """Choices of one of several classes: of the examples, or of their words.

    Attributes:
        logits: float64 of [cases, classes], before any temperature; minus infinity where a case lacks a class.
        gold: int64 of [cases].
    """

    logits: npt.NDArray[np.float64]
    gold: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tally:
    """Counts of labels.

    Attributes:
        labels: of each label how often it is right, predicted and true.
        pairs: how often each (true, predicted) occurs; nothing where an example has no one label.
        of: what is counted in `pairs`.
    """

    labels: Mapping[str, Counts]
    pairs: Mapping[tuple[str, str], int]
    of: str = "examples"


def tally_of_pairs(labels: Sequence[str], pairs: Mapping[tuple[str, str], int], of: str = "examples") -> Tally:
    """The tally of what has one label each."""
    right = {label: pairs.get((label, label), 0) for label in labels}
    said, true = (dict.fromkeys(labels, 0) for _ in range(2))
    for (gold, predicted), count in pairs.items():
        true[gold] += count
        said[predicted] += count
    return Tally({label: Counts(right[label], said[label], true[label]) for label in labels}, pairs, of)


ExampleType = TypeVar("ExampleType")
InputsType = TypeVar("InputsType", bound=Inputs)
TargetsType = TypeVar("TargetsType", bound=Sized)
OutputsType = TypeVar("OutputsType")


class Head(ABC, Generic[ExampleType, InputsType, TargetsType, OutputsType]):
    """A task with its labels.

    Attributes:
        labels: the model's outputs in their order; none where the output is a number.
        problem_type: as in a model's configuration; a head without a choice passes it over.
        auto_class: the class of transformers that loads a model with this head.
        pipeline_tag: the Hub's name of the task.
        called: the head in messages.
        top: the most that its figures can be, 1 or 100.
        class_weights: what a loss of each label counts, in their order; None where each counts 1.
        without_labels: what the output is where there are no labels, in words.
        chosen: what `settled` or `calibrated` has chosen, or the training file decides, by its names in a model's
            configuration.
        decides: what `decisions` are of.
        tables: the forms of files whose rows are examples, so that each has columns.
    """

    auto_class: ClassVar[str]
    pipeline_tag: ClassVar[str]
    called: ClassVar[str]
    top: ClassVar[float] = 1.0
    class_weights: tuple[float, ...] | None = None
    without_labels: ClassVar[str] = "a number (regression)"
    decides: ClassVar[str] = "examples"
    tables: ClassVar[tuple[str, ...]] = ("csv", "tsv", "jsonl", "parquet")

    def __init__(self, labels: Sequence[str], problem_type: str) -> None:
        self.labels, self.problem_type = list(labels), problem_type
        self.chosen: dict[str, Any] = {}

    # Where a head comes from

    @classmethod
    @abstractmethod
    def for_training(
        cls, examples: Sequence[ExampleType], problem_type: str, *, labels_are: LabelsAre | None = None
    ) -> Head[Any, Any, Any, Any]:
        """The head with the labels of a training file; `labels_are` is what an option says of the tags of words.

        Raises DataError where the file holds fewer than two.
        """

    @classmethod
    @abstractmethod
    def for_model(cls, config: Any, problem_type: str | None, name: str) -> Head[Any, Any, Any, Any]:
        """The head of a MODEL by its configuration; `problem_type` is what an option says over it.

        Raises OptionError where the option does not fit the MODEL.
        """

    def config_values(self) -> dict[str, Any]:
        """What the configuration of a model with this head says of it."""
        if not self.labels:
            return {"num_labels": 1}
        numbered = dict(enumerate(self.labels))
        return {
            "num_labels": len(self.labels),
            "id2label": numbered,
            "label2id": {label: number for number, label in numbered.items()},
        }

    @property
    def told_apart(self) -> list[str]:
        """What answers of this head can be, in order: its labels, unless a head says otherwise."""
        return in_order(self.labels)

    # Files

    @classmethod
    @abstractmethod
    def read(cls, path: Path, columns: Columns) -> list[ExampleType]:
        """The examples of a labelled file. Raises DataError with the file and the line of the first mistake."""

    def columns(self, columns: Columns) -> Columns:
        """How files are read for this head: as the options say, unless it knows more of its labels."""
        return columns

    @classmethod
    def reference(cls, examples: Sequence[ExampleType], path: Path) -> Reference | None:
        """What the other files of a training must agree with, by its training file; None if there is nothing."""
        return None

    @classmethod
    def reference_of_model(cls, config: Any, name: str) -> Reference | None:
        """The same by the configuration of a MODEL; None if it says nothing. Raises ModelError for strange values."""
        return None

    @abstractmethod
    def read_unlabelled(self, path: Path, columns: Columns) -> list[ExampleType]:
        """The examples of a file whose labels are not looked at, for a teacher: each has some label in their place.

        `columns.like` is the training file. Raises DataError with the file and the line of the first mistake,
        OptionError if such files look the same as labelled ones.
        """

    def learnable(self, examples: Sequence[ExampleType]) -> Sequence[ExampleType]:
        """The examples of a training file that something can be learnt from: all, unless a head says otherwise."""
        return examples

    @abstractmethod
    def targets(self, examples: Sequence[ExampleType], where: str) -> TargetsType:
        """What is true of the examples; `where` is their file. Raises DataError for a label that the head lacks."""

    def warn_of_spellings(self, examples: Sequence[ExampleType], where: str) -> None:
        """Warn of classes that a file spells in several ways, or otherwise than the head; most heads take one only."""

    @abstractmethod
    def label_counts(self, examples: Sequence[ExampleType]) -> Mapping[str, int]:
        """How often each label occurs, in the order of the labels; nothing where the output is a number."""

    @abstractmethod
    def items(self, examples: Sequence[ExampleType]) -> Iterable[Item]:
        """The examples in the form in which they are compared with each other."""

    @abstractmethod
    def predictions(self, examples: Sequence[ExampleType], outputs: OutputsType) -> Iterable[str]:
        """The lines of the file of predictions, which `bertsmith score` reads."""

    # Encode

    @abstractmethod
    def encode(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[ExampleType], max_length: int
    ) -> InputsType:
        """The examples as rows of at most `max_length` ids."""

    @abstractmethod
    def batch(
        self, inputs: InputsType, rows: Sequence[int], pad_token_id: int, *, with_types: bool
    ) -> dict[str, Tensor]:
        """The model's inputs for some rows, padded to the longest: int64 of [rows, length]."""

    # Train

    @abstractmethod
    def gold(self, inputs: InputsType, targets: TargetsType, rows: Sequence[int]) -> Tensor:
        """What is true of some rows, in the form that `loss_sum` takes."""

    @property
    def weighs_classes(self) -> bool:
        """Whether the losses of this head follow `class_weights`."""
        return False

    @abstractmethod
    def loss_count(self, gold: Tensor) -> float:
        """How many losses are summed for these rows; with class weights the sum of their weights."""

    @abstractmethod
    def loss_sum(self, output: Any, gold: Tensor) -> Tensor:
        """float32 scalar: the losses of a batch, added up; `output` is the model's."""

    # Learn from a teacher (`tasks.soft_targets`)

    needs_same_rows: ClassVar[bool] = False
    """Whether teacher and student must read the same rows of ids, not the same examples alone."""

    def logits(self, output: Any, inputs: InputsType, rows: Sequence[int]) -> Iterable[Logits]:
        """What the losses of each row are over, on the CPU: what `keep` keeps, unless a head says otherwise."""
        return self.keep(output, inputs, rows)

    def join_logits(self, kept: Sequence[Logits], inputs: InputsType) -> Sequence[Logits]:
        """The logits of all rows in the form in which `soft_targets` takes a teacher's: by examples, or by rows."""
        return kept

    @abstractmethod
    def soft_targets(self, inputs: InputsType, logits: Callable[[int], Logits], rows: Sequence[int]) -> Tensor:
        """A teacher's logits for some rows of the student, in the form that `soft_loss_sum` takes.

        `logits` gives those of an example (or a row), flat: float32 of [numbers].
        """

    @abstractmethod
    def soft_loss_sum(self, output: Any, soft: Tensor, gold: Tensor, temperature: float) -> Tensor:
        """float32 scalar: as `loss_sum`, of a teacher's logits in the place of what is true; each counts the same."""

    # Decode and score

    @abstractmethod
    def keep(self, output: Any, inputs: InputsType, rows: Sequence[int]) -> Iterable[Any]:
        """What is kept of a batch's output, row by row, on the CPU."""

    @abstractmethod
    def join(self, kept: Sequence[Any], inputs: InputsType) -> OutputsType:
        """What was kept of all rows, by examples."""

    def settled(self, outputs: OutputsType, targets: TargetsType) -> Head[Any, Any, Any, Any]:
        """The head with what is chosen on the dev file beside the weights: nothing, unless a head says otherwise."""
        return self

    @property
    def has_probabilities(self) -> bool:
        """Whether the outputs are choices among classes, whose probabilities a temperature can calibrate."""
        return False

    def decisions(self, outputs: OutputsType, targets: TargetsType) -> Decisions:
        """What is calibrated; only of a head that `has_probabilities`."""
        raise NotImplementedError

    @property
    def temperature(self) -> float:
        """What logits are divided by before they are made probabilities."""
        return float(self.chosen.get(TEMPERATURE, 1.0))

    def calibrated(self, outputs: OutputsType, targets: TargetsType) -> Self | None:
        """The head with the temperature that suits these outputs best; None where there is none (see there)."""
        found = self.decisions(outputs, targets)
        temperature = fitted_temperature(found.logits, found.gold)
        return None if temperature is None else self.with_chosen({TEMPERATURE: temperature})

    def with_chosen(self, chosen: Mapping[str, Any]) -> Self:
        """The head with this chosen too."""
        head = copy.copy(self)
        head.chosen = {**self.chosen, **chosen}
        return head

    def with_temperature_of(self, config: Any, name: str) -> Self:
        """The head with the temperature that the configuration of a MODEL says, if any.

        Raises ModelError where that is no positive number.
        """
        said = getattr(config, TEMPERATURE, None)
        if said is None or not self.has_probabilities:
            return self
        number = isinstance(said, (int, float)) and not isinstance(said, bool)
        if not number or not 0 < said < math.inf:
            raise ModelError(f"{name}: {TEMPERATURE} in its config.json is {said!r}, expected a number above 0")
        return self.with_chosen({TEMPERATURE: float(said)})

    @property
    @abstractmethod
    def main_metric(self) -> str:
        """The figure that checkpoints and seeds are chosen by unless another is asked for."""

    @abstractmethod
    def measure(self, outputs: OutputsType, targets: TargetsType) -> Mapping[str, Measurement]:
        """The metrics, the main one first, as figures of any choice of the examples."""

    def values(self, outputs: OutputsType, targets: TargetsType) -> dict[str, float]:
        """The metrics without their intervals."""
        return {name: measurement.value for name, measurement in self.measure(outputs, targets).items()}

    def score(self, outputs: OutputsType, targets: TargetsType) -> dict[str, Interval]:
        """The metrics, each with a bootstrap interval over the examples."""
        return intervals(self.measure(outputs, targets))

    @property
    def baseline_answer(self) -> str:
        """The answer of the baseline, for messages."""
        return "always giving the most frequent label"

    @abstractmethod
    def baseline(self, train: TargetsType, targets: TargetsType) -> dict[str, float]:
        """The metrics of one and the same answer for everything, chosen on the training file."""

    # Look at errors

    @property
    @abstractmethod
    def error(self) -> str:
        """What the errors of `judged` are, in words."""

    @abstractmethod
    def judged(self, examples: Sequence[ExampleType], outputs: OutputsType, targets: TargetsType) -> Iterable[Judged]:
        """Each example beside what the model says of it."""

    @abstractmethod
    def some(
        self, outputs: OutputsType, targets: TargetsType, numbers: npt.NDArray[np.int64]
    ) -> tuple[OutputsType, TargetsType]:
        """The outputs and targets of some examples, to be scored by themselves."""

    def tally(self, outputs: OutputsType, targets: TargetsType) -> Tally | None:
        """The labels that are true and predicted; None for a head without."""
        return None

    def quantity(self, examples: Sequence[ExampleType]) -> tuple[str, list[float]] | None:
        """A number that the examples differ in where they have no labels, and what it is; None where they have."""
        return None


AnyHead = Head[Any, Any, Any, Any]


def forget_head(config: Any) -> None:
    """Remove from a model's configuration what belongs to a head that it had before."""
    for name in (TEMPERATURE, NO_ANSWER_THRESHOLD, INPUT_LENGTH, LABELS_ARE, *KEYS):
        if hasattr(config, name):
            delattr(config, name)


def forget_labels(config: Any, outputs: int = 2) -> None:
    """Give the outputs of a model the names that transformers gives them: the labels of another head are none."""
    config.id2label = {number: f"LABEL_{number}" for number in range(outputs)}
    config.label2id = {label: number for number, label in config.id2label.items()}
    config.problem_type = None


def head_class(task: str) -> type[AnyHead]:
    """The head of a task by its name."""
    found: type[AnyHead] = TASKS[task].module("task").TASK
    return found


def listed(labels: Sequence[str]) -> str:
    """Labels in a message: the first twenty."""
    shown = ", ".join(map(shortened, labels[:20]))
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"


def has_head(config: Any, task: str) -> bool:
    """Whether a model of this configuration has the head of a task."""
    ending = head_class(task).auto_class.removeprefix("AutoModel")
    return any(name.endswith(ending) for name in config.architectures or [])


def task_of(config: Any) -> str | None:
    """The task whose head a model of this configuration has, None where it has none of ours."""
    return next((task for task in trainable_tasks() if has_head(config, task)), None)

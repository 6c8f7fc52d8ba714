"""The protocol of a task: everything that fine-tuning, evaluation and prediction ask of it. NumPy in and out.

Examples go through a task in this order; only the task itself looks into the result of a step:

    file --read--> examples --encode--> inputs --batch------> the model --keep--> rows --join--> outputs --measure
                            --targets-> targets --row_targets--> the losses                              --judged

The inputs are rows of ids: one per example, or several if examples are read in windows. A batch is some rows. Losses
(`losses.py`, the only part that needs torch) are sums, which the Trainer divides by the counts of the whole update.
`keep` takes from the model's outputs of a batch the part that scoring needs, so memory never holds the logits of a
whole file.

A task is a subclass of `Task` as TASK in the `task.py` of its folder, and a line in `registry.py`.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from bertsmith.errors import ModelError
from bertsmith.metrics.calibration import fitted_temperature
from bertsmith.metrics.measurements import Measurement
from bertsmith.metrics.resampling import Interval, intervals
from bertsmith.tasks.files.label_checks import label_warnings
from bertsmith.tasks.files.labelled_file import Columns, in_order
from bertsmith.tasks.files.reference import Reference
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.values import (
    Array,
    Batch,
    ComparisonItem,
    ConfusionCounts,
    Decisions,
    Inputs,
    Ints,
    LabelledPrediction,
    Logits,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

TEMPERATURE = "calibration_temperature"
"""The key in a model's configuration of the number by which its logits are divided before they become probabilities."""

ExampleType = TypeVar("ExampleType")
InputsType = TypeVar("InputsType", bound=Inputs)
TargetsType = TypeVar("TargetsType", bound=Sized)
OutputsType = TypeVar("OutputsType")


class Labels(ABC, Generic[ExampleType, TargetsType]):
    """The labels of a task, and their places in a model's configuration.

    Attributes:
        labels: the model's outputs in their order; none if the output is a number or a span.
        problem_type: as in a model's configuration; empty for a task without a choice of it.
        chosen: the values that `with_tuned_thresholds` or `calibrated` has chosen, or that follow from the training
            file, by their keys in a model's configuration.
        auto_class: the class of transformers that loads a model with this head.
        pipeline_tag: the Hub's name of the task.
        called: the head in messages.
        config_keys: the keys of its own that a task writes into a model's configuration.
        marker: the one of these keys that identifies its models; only for a task whose `auto_class` others share.
        without_labels: the output in words if there are no labels.
        is_multi_label: whether an example may have several labels, or none.
        is_regression: whether the output is a number, so that no answer is right or wrong.
        supports_class_weights: whether the losses follow class weights.
    """

    auto_class: ClassVar[str]
    pipeline_tag: ClassVar[str]
    called: ClassVar[str]
    config_keys: ClassVar[tuple[str, ...]] = ()
    marker: ClassVar[str | None] = None
    without_labels: ClassVar[str] = "a number (regression)"
    is_multi_label: bool = False
    is_regression: bool = False
    supports_class_weights: bool = False

    def __init__(self, labels: Sequence[str] = (), problem_type: str = "") -> None:
        self.labels, self.problem_type = list(labels), problem_type
        self.chosen: dict[str, Any] = {}

    @classmethod
    @abstractmethod
    def for_training(cls, examples: Sequence[ExampleType], options: TaskOptions) -> Self:
        """The task with the labels of a training file.

        Raises DataError if the file holds fewer than two, OptionError for an option that the task does not have.
        """

    @classmethod
    @abstractmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> Self:
        """The task of a MODEL by its configuration; the options override it.

        Raises OptionError for an option that does not fit the MODEL.
        """

    def config_values(self) -> dict[str, Any]:
        """The entries for this task in the configuration of a model."""
        if not self.labels:
            return {"num_labels": 1}
        numbered = dict(enumerate(self.labels))
        return {
            "num_labels": len(self.labels),
            "id2label": numbered,
            "label2id": {label: number for number, label in numbered.items()},
        }

    def with_fitted_values(self, chosen: Mapping[str, Any]) -> Self:
        """The task with these values chosen too."""
        task = copy.copy(self)
        task.chosen = {**self.chosen, **chosen}
        return task

    @property
    def classes(self) -> list[str]:
        """The possible answers in order: the labels, unless a task says otherwise."""
        return in_order(self.labels)

    @abstractmethod
    def targets(self, examples: Sequence[ExampleType], where: str) -> TargetsType:
        """The labels of the examples; `where` is their file. Raises DataError for a label that the task lacks."""

    @abstractmethod
    def label_counts(self, examples: Sequence[ExampleType]) -> Mapping[str, int]:
        """How often each label occurs, in the order of the labels; empty if the output is a number or a span."""

    def check_labels(self, examples: Sequence[ExampleType], where: str, options: TaskOptions) -> None:
        """Raise DataError if the labels of a training file are hardly names of classes; most tasks take any name."""

    def label_warnings(self, counts: Mapping[str, int], targets: TargetsType, options: TaskOptions) -> Iterable[str]:
        """Sentences about labels of the training file that look wrong, by their counts."""
        return label_warnings(counts, may_be_numbers=False)

    def compared_labels(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """The labels whose frequencies are compared with each other: all, unless a task says otherwise."""
        return counts

    def warn_of_spellings(self, examples: Sequence[ExampleType], where: str) -> None:
        """Warn of classes that a file spells in several ways, or otherwise than the model; most tasks take one only."""


class Files(ABC, Generic[ExampleType, OutputsType]):
    """The labelled files of a task, and its files of predictions.

    Attributes:
        tables: the forms of files whose rows are examples, so that each has columns.
    """

    tables: ClassVar[tuple[str, ...]] = ("csv", "tsv", "jsonl", "parquet")

    @classmethod
    @abstractmethod
    def read(cls, path: Path, columns: Columns) -> list[ExampleType]:
        """The examples of a labelled file. Raises DataError with the file and the line of the first mistake."""

    @classmethod
    def reference(cls, examples: Sequence[ExampleType], path: Path) -> Reference | None:
        """The facts of a training file that the other files must agree with; None if there are none."""
        return None

    @classmethod
    def following(cls, columns: Columns, examples: Sequence[ExampleType], path: Path) -> Columns:
        """How the other files of a training are read, by its training file."""
        return replace(columns, like=cls.reference(examples, path))

    @classmethod
    def reference_of_model(cls, config: Any, name: str) -> Reference | None:
        """The facts that files must agree with, by the configuration of a MODEL; None if it says nothing.

        Raises ModelError for strange values.
        """
        return None

    def columns(self, columns: Columns) -> Columns:
        """How files are read for this task: as the options say, unless its labels say more."""
        return columns

    @abstractmethod
    def read_unlabelled(self, path: Path, columns: Columns) -> list[ExampleType]:
        """The examples of a file whose labels are not looked at, for a teacher: each has some label in their place.

        `columns.like` is the training file. Raises DataError with the file and the line of the first mistake,
        OptionError if such files look the same as labelled ones.
        """

    def trainable_examples(self, examples: Sequence[ExampleType]) -> Sequence[ExampleType]:
        """The examples of a training file that a model can learn from: all, unless a task says otherwise."""
        return examples

    @abstractmethod
    def items(self, examples: Sequence[ExampleType]) -> Iterable[ComparisonItem]:
        """The examples in the form in which they are compared with each other."""

    def quantity(self, examples: Sequence[ExampleType]) -> tuple[str, list[float]] | None:
        """If examples have no labels, a number in which they differ, with its name; None if they have labels."""
        return None

    @abstractmethod
    def predictions(self, examples: Sequence[ExampleType], outputs: OutputsType) -> Iterable[str]:
        """The lines of the file of predictions, which `bertsmith score` reads."""


class Encoding(ABC, Generic[ExampleType, InputsType, TargetsType]):
    """Examples as inputs of a model, with their targets, also those that a teacher gives.

    Attributes:
        needs_same_rows: whether teacher and student must read the same rows of ids; otherwise the same examples do.
    """

    needs_same_rows: ClassVar[bool] = False

    @abstractmethod
    def encode(self, tokenizer: Tokenizer, examples: Sequence[ExampleType], max_length: int) -> InputsType:
        """The examples as rows of at most `max_length` ids."""

    @abstractmethod
    def batch(self, inputs: InputsType, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> Batch:
        """The model's inputs for some rows, padded to the longest: int64 of [rows, length]."""

    @abstractmethod
    def row_targets(self, inputs: InputsType, targets: TargetsType, rows: Sequence[int]) -> Array:
        """The targets of some rows in the form that the losses take: int64 or float64 of [rows, ...]."""

    @abstractmethod
    def soft_targets(self, inputs: InputsType, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """A teacher's logits for some rows of the student in the form that the losses take.

        `logits` gives those of an example (or a row, as `gather_logits` has them), flat: float32 of [numbers].
        """


class Prediction(ABC, Generic[InputsType, TargetsType, OutputsType]):
    """The outputs of a model as answers to examples, and as a teacher's logits."""

    @abstractmethod
    def keep(self, outputs: ModelOutputs, inputs: InputsType, rows: Sequence[int]) -> Iterable[Any]:
        """The part of a batch's outputs that scoring needs, row by row."""

    @abstractmethod
    def join(self, kept: Sequence[Any], inputs: InputsType) -> OutputsType:
        """The kept parts of all rows, by examples."""

    @abstractmethod
    def some(self, outputs: OutputsType, targets: TargetsType, numbers: Ints) -> tuple[OutputsType, TargetsType]:
        """The outputs and targets of some examples, to be scored by themselves."""

    def logits(self, outputs: ModelOutputs, inputs: InputsType, rows: Sequence[int]) -> Iterable[Logits]:
        """The logits of each row that a student learns: those that `keep` keeps, unless a task says otherwise."""
        return self.keep(outputs, inputs, rows)

    def gather_logits(self, kept: Sequence[Logits], inputs: InputsType) -> Sequence[Logits]:
        """The logits of all rows in the form in which `soft_targets` takes a teacher's: by examples, or by rows."""
        return kept


class Scoring(ABC, Generic[TargetsType, OutputsType]):
    """The metrics of a task.

    Attributes:
        top: the most that its shares can be, 1 or 100.
        lower_is_better: the metrics of which the lowest value is the best.
        signed_metrics: the metrics that go down to minus `top`.
    """

    top: ClassVar[float] = 1.0
    lower_is_better: ClassVar[frozenset[str]] = frozenset()
    signed_metrics: ClassVar[frozenset[str]] = frozenset()

    @property
    @abstractmethod
    def main_metric(self) -> str:
        """The metric that checkpoints and seeds are chosen by unless an option names a different one."""

    @classmethod
    def selection_score(cls, metric: str, value: float) -> float:
        """A value in the direction in which more is better."""
        return -value if metric in cls.lower_is_better else value

    @classmethod
    def possible(cls, metric: str, value: float) -> float:
        """A value cut at the ends of what the metric can be."""
        if metric in cls.lower_is_better:
            return max(value, 0.0)
        return min(max(value, -cls.top if metric in cls.signed_metrics else 0.0), cls.top)

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


class Errors(ABC, Generic[ExampleType, TargetsType, OutputsType]):
    """The errors of a model on labelled examples."""

    @property
    @abstractmethod
    def error(self) -> str:
        """The name of the errors of `labelled_predictions`."""

    @abstractmethod
    def labelled_predictions(
        self, examples: Sequence[ExampleType], outputs: OutputsType, targets: TargetsType
    ) -> Iterable[LabelledPrediction]:
        """Each example with its label and the model's answer."""

    def confusion_counts(self, outputs: OutputsType, targets: TargetsType) -> ConfusionCounts | None:
        """The counts of labels, true and predicted; None for a task without labels."""
        return None


class Task(
    Labels[ExampleType, TargetsType],
    Files[ExampleType, OutputsType],
    Encoding[ExampleType, InputsType, TargetsType],
    Prediction[InputsType, TargetsType, OutputsType],
    Scoring[TargetsType, OutputsType],
    Errors[ExampleType, TargetsType, OutputsType],
    Generic[ExampleType, InputsType, TargetsType, OutputsType],
):
    """A task with its labels, and with the values that are chosen on a dev file.

    Attributes:
        has_probabilities: whether the outputs are choices among classes, whose probabilities a temperature calibrates.
        decides: what `decisions` are of.
    """

    has_probabilities: bool = False
    decision_unit: ClassVar[str] = "examples"

    def with_tuned_thresholds(self, outputs: OutputsType, targets: TargetsType) -> Self:
        """The task with the values that are chosen on the dev file besides the weights; most tasks have none."""
        return self

    def decisions(self, outputs: OutputsType, targets: TargetsType) -> Decisions:
        """The choices that are calibrated; only of a task that `has_probabilities`."""
        raise NotImplementedError

    @property
    def temperature(self) -> float:
        """The number by which logits are divided before they become probabilities."""
        return float(self.chosen.get(TEMPERATURE, 1.0))

    def calibrated(self, outputs: OutputsType, targets: TargetsType) -> Self | None:
        """The task with the temperature that suits these outputs best; None if there is none (see there)."""
        found = self.decisions(outputs, targets)
        temperature = fitted_temperature(found.logits, found.targets)
        return None if temperature is None else self.with_fitted_values({TEMPERATURE: temperature})

    def with_model_temperature(self, config: Any, name: str) -> Self:
        """The task with the temperature in the configuration of a MODEL, if any.

        Raises ModelError if that is no positive number.
        """
        said = getattr(config, TEMPERATURE, None)
        if said is None or not self.has_probabilities:
            return self
        number = isinstance(said, (int, float)) and not isinstance(said, bool)
        if not number or not 0 < said < math.inf:
            raise ModelError(f"{name}: {TEMPERATURE} in its config.json is {said!r}, expected a number above 0")
        return self.with_fitted_values({TEMPERATURE: float(said)})


AnyTask = Task[Any, Any, Any, Any]


def task_class(name: str) -> type[AnyTask]:
    """The class of a task by its name."""
    found: type[AnyTask] = TASKS[name].module("task").TASK
    return found

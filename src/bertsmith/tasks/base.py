"""The protocol of a task: what fine-tuning, evaluation and prediction call. Input and output are NumPy arrays.

Examples go through a task in this order. Only the task itself looks inside the intermediate values:

    file              -- read -->             examples
    examples          -- encode -->           inputs         -- batch -->           model inputs
    examples          -- targets -->          targets        -- row_targets -->     targets of the losses
    model outputs     -- extract_outputs -->  kept outputs   -- gather_outputs -->  outputs
    outputs, targets  -- measure -->          metrics
    outputs, targets  -- labelled_predictions -->  labels, predictions and errors of examples

Inputs are rows of ids: one row per example, or several if the example is read in windows. A batch is a set of rows.
Losses (`task_losses.py`, the only part that needs torch) are sums; the Trainer divides them by the counts of the whole
update. `extract_outputs` keeps only what scoring needs of a batch, so memory never holds the logits of a whole file.

To add a task, assign a subclass of `Task` to TASK in the `task.py` of its folder and add a line to `registry.py`.
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
from bertsmith.tasks.files.labelled_file import Columns, sort_labels
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.values import (
    Array,
    ComparisonItem,
    ConfusionCounts,
    Decisions,
    Inputs,
    Ints,
    LabelledPrediction,
    Logits,
    ModelInputs,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

TEMPERATURE = "calibration_temperature"
"""The configuration key of the temperature: logits are divided by it before the softmax."""

ExampleType = TypeVar("ExampleType")
InputsType = TypeVar("InputsType", bound=Inputs)
TargetsType = TypeVar("TargetsType", bound=Sized)
OutputsType = TypeVar("OutputsType")


class TaskLabels(ABC, Generic[ExampleType, TargetsType]):
    """The labels of a task, and how a model's configuration stores them.

    Attributes:
        labels: the model's outputs in order; empty if the output is a number or a span.
        problem_type: as in a model's configuration; empty for a task without problem types.
        fitted_values: values set by `with_tuned_thresholds` or `calibrated`, or derived from the training file, by
            configuration key.
        auto_class: the transformers class that loads a model with this head.
        pipeline_tag: the Hub's name for the task.
        head_name: the name of the head in messages.
        config_keys: the task's own keys in a model's configuration.
        identifying_config_key: the key among them that identifies models of this task; needed only if another task has
            the same `auto_class`.
        output_description: the output in words if there are no labels.
        is_multi_label: whether an example may have several labels or none.
        is_regression: whether the output is a number, so that predictions are not correct or wrong.
        supports_class_weights: whether the losses use class weights.
    """

    auto_class: ClassVar[str]
    pipeline_tag: ClassVar[str]
    head_name: ClassVar[str]
    config_keys: ClassVar[tuple[str, ...]] = ()
    identifying_config_key: ClassVar[str | None] = None
    output_description: ClassVar[str] = "a number (regression)"
    is_multi_label: bool = False
    is_regression: bool = False
    supports_class_weights: bool = False

    def __init__(self, labels: Sequence[str] = (), problem_type: str = "") -> None:
        self.labels, self.problem_type = list(labels), problem_type
        self.fitted_values: dict[str, Any] = {}

    @classmethod
    @abstractmethod
    def for_training(cls, examples: Sequence[ExampleType], options: TaskOptions) -> Self:
        """Return the task with the labels of a training file.

        Raises DataError if the file has fewer than two labels, OptionError for an option that the task does not have.
        """

    @classmethod
    @abstractmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> Self:
        """Return the task that a MODEL's configuration describes; the options override the configuration.

        Raises OptionError for an option that does not fit the MODEL.
        """

    def config_values(self) -> dict[str, Any]:
        """Return the entries of this task for a model's configuration."""
        if not self.labels:
            return {"num_labels": 1}
        numbered = dict(enumerate(self.labels))
        return {
            "num_labels": len(self.labels),
            "id2label": numbered,
            "label2id": {label: number for number, label in numbered.items()},
        }

    def with_fitted_values(self, chosen: Mapping[str, Any]) -> Self:
        """Return a copy of the task with these values added to `fitted_values`."""
        task = copy.copy(self)
        task.fitted_values = {**self.fitted_values, **chosen}
        return task

    @property
    def classes(self) -> list[str]:
        """The possible answers in order; by default the labels."""
        return sort_labels(self.labels)

    @abstractmethod
    def targets(self, examples: Sequence[ExampleType], where: str) -> TargetsType:
        """Encode the labels of examples from the file `where`. Raises DataError for a label that the task lacks."""

    @abstractmethod
    def label_counts(self, examples: Sequence[ExampleType]) -> Mapping[str, int]:
        """Count each label, in the order of the labels; empty if the output is a number or a span."""

    def check_labels(self, examples: Sequence[ExampleType], where: str, options: TaskOptions) -> None:
        """Raise DataError if labels of a training file do not look like class names; by default accept any name."""

    def label_warnings(self, counts: Mapping[str, int], targets: TargetsType, options: TaskOptions) -> Iterable[str]:
        """Return warnings about labels of the training file that look wrong."""
        return label_warnings(counts, may_be_numbers=False)

    def compared_labels(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Return the labels whose frequencies are compared with each other; by default all."""
        return counts

    def warn_of_spellings(self, examples: Sequence[ExampleType], where: str) -> None:
        """Warn if a file spells a class in several ways, or differently from the model; by default do nothing."""


class ExampleFiles(ABC, Generic[ExampleType, OutputsType]):
    """The labelled files of a task, and its prediction files.

    Attributes:
        tables: formats of files with one example per row, and therefore with columns.
    """

    tables: ClassVar[tuple[str, ...]] = ("csv", "tsv", "jsonl", "parquet")

    @classmethod
    @abstractmethod
    def read(cls, path: Path, columns: Columns) -> list[ExampleType]:
        """Read the examples of a labelled file. Raises DataError with file and line of the first mistake."""

    @classmethod
    def reference(cls, examples: Sequence[ExampleType], path: Path) -> FileReference | None:
        """Return the properties of a training file that the other files must share; None if there are none."""
        return None

    @classmethod
    def columns_for_other_files(cls, columns: Columns, examples: Sequence[ExampleType], path: Path) -> Columns:
        """Return how dev, test and unlabelled files are read, given the training file."""
        return replace(columns, reference=cls.reference(examples, path))

    @classmethod
    def reference_of_model(cls, config: Any, name: str) -> FileReference | None:
        """Return the properties that files must share according to a MODEL's configuration; None if it has none.

        Raises ModelError for invalid values.
        """
        return None

    def columns(self, columns: Columns) -> Columns:
        """Return how files are read for this task; by default as the options say."""
        return columns

    @abstractmethod
    def read_unlabelled(self, path: Path, columns: Columns) -> list[ExampleType]:
        """Read a file without using its labels, for a teacher to label; every example gets a placeholder label.

        `columns.reference` is the training file. Raises DataError with file and line of the first mistake, OptionError
        if the task cannot distinguish unlabelled files from labelled ones.
        """

    def trainable_examples(self, examples: Sequence[ExampleType]) -> Sequence[ExampleType]:
        """Return the examples of a training file that a model can learn from; by default all."""
        return examples

    @abstractmethod
    def comparison_items(self, examples: Sequence[ExampleType]) -> Iterable[ComparisonItem]:
        """Return the examples in a form that can be compared, to find repeats and contradictions."""

    def quantity(self, examples: Sequence[ExampleType]) -> tuple[str, list[float]] | None:
        """For tasks without labels, return the name and values of a number per example; None if there are labels."""
        return None

    @abstractmethod
    def predictions(self, examples: Sequence[ExampleType], outputs: OutputsType) -> Iterable[str]:
        """Return the lines of the prediction file, which `bertsmith score` reads."""


class TaskEncoding(ABC, Generic[ExampleType, InputsType, TargetsType]):
    """Encoding of examples as model inputs, and of labels or a teacher's logits as targets.

    Attributes:
        needs_same_rows: whether teacher and student must read identical rows of ids, not only the same examples.
    """

    needs_same_rows: ClassVar[bool] = False

    @abstractmethod
    def encode(self, tokenizer: Tokenizer, examples: Sequence[ExampleType], max_length: int) -> InputsType:
        """Encode examples as rows of at most `max_length` ids."""

    @abstractmethod
    def batch(self, inputs: InputsType, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> ModelInputs:
        """Return the model inputs for some rows, padded to the longest: int64 of [rows, length]."""

    @abstractmethod
    def row_targets(self, inputs: InputsType, targets: TargetsType, rows: Sequence[int]) -> Array:
        """Return the targets of some rows as the losses expect them: int64 or float64 of [rows, ...]."""

    @abstractmethod
    def soft_targets(self, inputs: InputsType, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """Return a teacher's logits for some rows of the student, as the losses expect them.

        `logits` returns the logits of an item of `gather_logits`, flat: float32 of [numbers].
        """


class TaskPrediction(ABC, Generic[InputsType, TargetsType, OutputsType]):
    """Conversion of model outputs to answers, and to a teacher's logits."""

    @abstractmethod
    def extract_outputs(self, outputs: ModelOutputs, inputs: InputsType, rows: Sequence[int]) -> Iterable[Any]:
        """Return the part of a batch's outputs that scoring needs, row by row."""

    @abstractmethod
    def gather_outputs(self, kept: Sequence[Any], inputs: InputsType) -> OutputsType:
        """Combine the extracted outputs of all rows into one value, ordered by example."""

    @abstractmethod
    def select_examples(
        self, outputs: OutputsType, targets: TargetsType, numbers: Ints
    ) -> tuple[OutputsType, TargetsType]:
        """Return the outputs and targets of some examples, to score these examples separately."""

    def logits(self, outputs: ModelOutputs, inputs: InputsType, rows: Sequence[int]) -> Iterable[Logits]:
        """Return the logits of each row that a student learns; by default the result of `extract_outputs`."""
        return self.extract_outputs(outputs, inputs, rows)

    def gather_logits(self, kept: Sequence[Logits], inputs: InputsType) -> Sequence[Logits]:
        """Combine the logits of all rows as `soft_targets` expects them: by example, or by row."""
        return kept


class TaskScoring(ABC, Generic[TargetsType, OutputsType]):
    """The metrics of a task.

    Attributes:
        maximum_score: the highest value of a metric, 1 or 100.
        lower_is_better: metrics for which lower values are better.
        signed_metrics: metrics whose lowest value is minus `maximum_score`.
    """

    maximum_score: ClassVar[float] = 1.0
    lower_is_better: ClassVar[frozenset[str]] = frozenset()
    signed_metrics: ClassVar[frozenset[str]] = frozenset()

    @property
    @abstractmethod
    def main_metric(self) -> str:
        """The metric that selects checkpoints and seeds, unless an option names a different metric."""

    @classmethod
    def selection_score(cls, metric: str, value: float) -> float:
        """Return the value with its sign changed if lower is better, so that higher is always better."""
        return -value if metric in cls.lower_is_better else value

    @classmethod
    def clip_to_range(cls, metric: str, value: float) -> float:
        """Clip a value to the range of the metric."""
        if metric in cls.lower_is_better:
            return max(value, 0.0)
        return min(max(value, -cls.maximum_score if metric in cls.signed_metrics else 0.0), cls.maximum_score)

    @abstractmethod
    def measure(self, outputs: OutputsType, targets: TargetsType) -> Mapping[str, Measurement]:
        """Return the metrics, the main metric first, as measurements that can be resampled."""

    def values(self, outputs: OutputsType, targets: TargetsType) -> dict[str, float]:
        """Return the metrics without intervals."""
        return {name: measurement.value for name, measurement in self.measure(outputs, targets).items()}

    def score(self, outputs: OutputsType, targets: TargetsType) -> dict[str, Interval]:
        """Return the metrics, each with a bootstrap interval over the examples."""
        return intervals(self.measure(outputs, targets))

    @property
    def baseline_answer(self) -> str:
        """What the baseline answers, for messages."""
        return "always giving the most frequent label"

    @abstractmethod
    def baseline(self, train: TargetsType, targets: TargetsType) -> dict[str, float]:
        """Return the metrics of a constant answer, chosen on the training file."""


class ErrorAnalysis(ABC, Generic[ExampleType, TargetsType, OutputsType]):
    """The errors of a model on labelled examples."""

    @property
    @abstractmethod
    def error_name(self) -> str:
        """The name of `LabelledPrediction.error`, by which errors are ranked."""

    @abstractmethod
    def labelled_predictions(
        self, examples: Sequence[ExampleType], outputs: OutputsType, targets: TargetsType
    ) -> Iterable[LabelledPrediction]:
        """Return the label and the prediction of each example."""

    def confusion_counts(self, outputs: OutputsType, targets: TargetsType) -> ConfusionCounts | None:
        """Count labels and predictions; None for a task without labels."""
        return None


class Task(
    TaskLabels[ExampleType, TargetsType],
    ExampleFiles[ExampleType, OutputsType],
    TaskEncoding[ExampleType, InputsType, TargetsType],
    TaskPrediction[InputsType, TargetsType, OutputsType],
    TaskScoring[TargetsType, OutputsType],
    ErrorAnalysis[ExampleType, TargetsType, OutputsType],
    Generic[ExampleType, InputsType, TargetsType, OutputsType],
):
    """A task with its labels and the values fitted on the dev file.

    Attributes:
        has_probabilities: whether the outputs are class probabilities, which a temperature can calibrate.
        decision_unit: the unit of `decisions`.
    """

    has_probabilities: bool = False
    decision_unit: ClassVar[str] = "examples"

    def with_tuned_thresholds(self, outputs: OutputsType, targets: TargetsType) -> Self:
        """Return the task with the thresholds that suit the dev file best; most tasks have none."""
        return self

    def decisions(self, outputs: OutputsType, targets: TargetsType) -> Decisions:
        """Return the classifications to calibrate; only for tasks with `has_probabilities`."""
        raise NotImplementedError

    @property
    def temperature(self) -> float:
        """The number by which logits are divided before the softmax."""
        return float(self.fitted_values.get(TEMPERATURE, 1.0))

    def calibrated(self, outputs: OutputsType, targets: TargetsType) -> Self | None:
        """Return the task with the temperature that suits these outputs best; None if `fitted_temperature` is None."""
        found = self.decisions(outputs, targets)
        temperature = fitted_temperature(found.logits, found.targets)
        return None if temperature is None else self.with_fitted_values({TEMPERATURE: temperature})

    def with_model_temperature(self, config: Any, name: str) -> Self:
        """Return the task with the temperature of a MODEL's config, if any. Raises ModelError if it is invalid."""
        configured_value = getattr(config, TEMPERATURE, None)
        if configured_value is None or not self.has_probabilities:
            return self
        number = isinstance(configured_value, (int, float)) and not isinstance(configured_value, bool)
        if not number or not 0 < configured_value < math.inf:
            raise ModelError(
                f"{name}: {TEMPERATURE} in its config.json is {configured_value!r}, expected a number above 0"
            )
        return self.with_fitted_values({TEMPERATURE: float(configured_value)})


AnyTask = Task[Any, Any, Any, Any]


def task_class(name: str) -> type[AnyTask]:
    """Return the class of the task with this name."""
    found: type[AnyTask] = TASKS[name].module("task").TASK
    return found

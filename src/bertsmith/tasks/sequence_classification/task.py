"""sequence-classification: a label for a text or a pair, several labels (multi-label), or a number (regression)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.errors import OptionError
from bertsmith.metrics.classification import LOWER_IS_BETTER, SIGNED_METRICS
from bertsmith.metrics.entities import LabelCounts
from bertsmith.metrics.measurements import Measurement
from bertsmith.metrics.probabilities import binary_cross_entropies, log_softmax
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import warn
from bertsmith.tasks.base import Task
from bertsmith.tasks.encoded_texts import EncodedTexts, encode_texts, padded
from bertsmith.tasks.files.class_names import ClassNames
from bertsmith.tasks.files.label_checks import SEPARATOR, check_are_classes, label_warnings
from bertsmith.tasks.files.labelled_file import Columns, Label, Row, read_rows, sort_labels, text_reference
from bertsmith.tasks.files.reference import TEXT_COLUMNS_KEY, FileReference, configured_text_columns
from bertsmith.tasks.sequence_classification.answers import THRESHOLD, decode, label_probabilities
from bertsmith.tasks.sequence_classification.labels import class_names_of_row, encode_labels, sequence_labels, spellings
from bertsmith.tasks.sequence_classification.metrics import (
    Targets,
    constant_answer,
    label_metrics,
    metrics_for,
    scored_predictions,
)
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION, configured_problem_type
from bertsmith.tasks.values import (
    SINGLE_LABEL,
    ComparisonItem,
    ConfusionCounts,
    Decisions,
    Ints,
    LabelledPrediction,
    Logits,
    ModelInputs,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
    count_confusions,
)

NO_LABEL = "(none)"
"""The display name of an empty label set."""


class SequenceClassification(Task[Row, EncodedTexts, Targets, Logits]):
    """One row of ids and one row of logits per text; long texts are truncated."""

    auto_class = "AutoModelForSequenceClassification"
    pipeline_tag = "text-classification"
    head_name = "classification head"
    config_keys = (TEXT_COLUMNS_KEY,)
    lower_is_better = LOWER_IS_BETTER
    signed_metrics = SIGNED_METRICS

    def __init__(self, labels: Sequence[str] = (), problem_type: str = SINGLE_LABEL) -> None:
        super().__init__(labels, problem_type)
        self.is_multi_label, self.is_regression = problem_type == MULTI_LABEL, problem_type == REGRESSION
        self.has_probabilities = self.supports_class_weights = problem_type == SINGLE_LABEL

    # Labels

    @classmethod
    def for_training(cls, examples: Sequence[Row], options: TaskOptions) -> SequenceClassification:
        """Return the task with the labels of the file; without labels for regression."""
        problem_type = options.problem_type or SINGLE_LABEL
        task = cls(sequence_labels(examples, problem_type), problem_type)
        task.fitted_values = {TEXT_COLUMNS_KEY: [name for name in examples[0].columns if name]}
        return task

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> SequenceClassification:
        """Return the task with the labels of the MODEL; without labels for regression."""
        requested = None if options is None else options.problem_type
        chosen = requested or configured_problem_type(config)
        if (chosen == REGRESSION) != (config.num_labels == 1):
            expected = "1" if chosen == REGRESSION else "at least 2"
            raise OptionError(
                f"--problem-type {chosen}: found {counted(config.num_labels, 'output')} in {name}, expected {expected}"
            )
        labels = [] if chosen == REGRESSION else [config.id2label[number] for number in range(len(config.id2label))]
        return cls(labels, chosen).with_model_temperature(config, name)

    def config_values(self) -> dict[str, Any]:
        """Return the labels and the problem type."""
        return super().config_values() | {"problem_type": self.problem_type}

    @cached_property
    def _class_names(self) -> ClassNames:
        return ClassNames(self.labels)

    def _names(self, row: Row) -> tuple[str, ...]:
        return class_names_of_row(row, self.problem_type, self._class_names)

    def targets(self, examples: Sequence[Row], where: str) -> Targets:
        """Return the targets: float64 of [texts]; multi-label: [texts, labels]."""
        return encode_labels(examples, self.labels, self.problem_type, where)

    def label_counts(self, examples: Sequence[Row]) -> Mapping[str, int]:
        """Count the texts of each label."""
        if self.is_regression:
            return {}
        counts = Counter(name for row in examples for name in self._names(row))
        return {label: counts[label] for label in self.labels}

    def check_labels(self, examples: Sequence[Row], where: str, options: TaskOptions) -> None:
        """Raise DataError if the labels are decimal numbers and --problem-type was not given."""
        if self._may_be_numbers(options):
            check_are_classes(
                where, self.labels, ((item.label, item.place) for item in self.comparison_items(examples))
            )

    def label_warnings(self, counts: Mapping[str, int], targets: Targets, options: TaskOptions) -> Iterable[str]:
        """Return warnings, also about numbers that may not be classes, and about label sets with at most one label."""
        most = int(targets.sum(axis=1).max()) if self.is_multi_label else None
        return label_warnings(counts, may_be_numbers=self._may_be_numbers(options), labels_per_text=most)

    def _may_be_numbers(self, options: TaskOptions) -> bool:
        return self.problem_type == SINGLE_LABEL and "problem_type" not in options.model_fields_set

    def warn_of_spellings(self, examples: Sequence[Row], where: str) -> None:
        """Warn about numbers and booleans with several spellings."""
        if self.is_regression:
            return
        merged = self._class_names.merged(name for row in examples for name in spellings(row, self.problem_type))
        if merged is not None:
            warn(f"{where}: {merged}")

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Row]:
        """Read the rows of CSV, TSV or JSON lines."""
        return read_rows(path, columns)

    @classmethod
    def reference(cls, examples: Sequence[Row], path: Path) -> FileReference:
        """Return the text columns of the training file."""
        return text_reference(examples, path)

    @classmethod
    def reference_of_model(cls, config: Any, name: str) -> FileReference | None:
        """Return the text columns of the MODEL's training file."""
        return configured_text_columns(config, name)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[Row]:
        """Read the rows without their labels, as pairs if the training file has pairs."""
        placeholder_label: Label = 0
        if not self.is_regression:
            placeholder_label = self.labels[0] if self.problem_type == SINGLE_LABEL else ()
        return read_rows(path, columns, placeholder_label=placeholder_label)

    def comparison_items(self, examples: Sequence[Row]) -> Iterator[ComparisonItem]:
        """Yield the text or the pair, and the label."""
        for row in examples:
            texts = (row.text,) if row.pair is None else (row.text, row.pair)
            label = str(row.label) if self.is_regression else SEPARATOR.join(self._names(row))
            yield ComparisonItem(texts, label, row.place)

    def quantity(self, examples: Sequence[Row]) -> tuple[str, list[float]] | None:
        """Return the labels of regression."""
        return ("label", [row.number(" for regression") for row in examples]) if self.is_regression else None

    def predictions(self, examples: Sequence[Row], outputs: Logits) -> Iterator[str]:
        """Yield JSON lines: the text, its label in the file, and the answer of `classify`."""
        for row, answer in zip(examples, self.answers(outputs), strict=True):
            label = row.label_set if self.is_multi_label else row.label
            yield json.dumps({"text": row.text, "gold": label, **answer}, ensure_ascii=False)

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[Row], max_length: int) -> EncodedTexts:
        """Encode the texts, or the pairs if the file has pairs."""
        pairs = [row.pair or "" for row in examples] if examples[0].pair is not None else None
        return encode_texts(tokenizer, [row.text for row in examples], pairs, max_length)

    def batch(self, inputs: EncodedTexts, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> ModelInputs:
        """Return a batch as `padded` does."""
        return padded(inputs, rows, pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedTexts, targets: Targets, rows: Sequence[int]) -> Targets:
        """Return the targets: float64 of [rows]; multi-label: [rows, labels]."""
        return targets[list(rows)]

    def soft_targets(self, inputs: EncodedTexts, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """Return the teacher's logits: float32 of [rows, labels]."""
        return np.stack([logits(row) for row in rows])

    # Prediction

    def extract_outputs(self, outputs: ModelOutputs, inputs: EncodedTexts, rows: Sequence[int]) -> Logits:
        """Return the logits of each text: float32 of [labels]."""
        return outputs["logits"]

    def gather_outputs(self, kept: Sequence[Logits], inputs: EncodedTexts) -> Logits:
        """Return all logits: float32 of [texts, labels]."""
        return np.stack(kept)

    def answers(self, outputs: Logits) -> list[dict[str, Any]]:
        """Return answers as `decode` does, with the labels and the temperature of the model."""
        return decode(outputs, dict(enumerate(self.labels)), self.problem_type, temperature=self.temperature)

    def decisions(self, outputs: Logits, targets: Targets) -> Decisions:
        """Return one decision per text."""
        return Decisions(outputs.astype(np.float64), targets.astype(np.int64))

    def select_examples(self, outputs: Logits, targets: Targets, numbers: Ints) -> tuple[Logits, Targets]:
        """Return the logits and targets of some texts."""
        return outputs[numbers], targets[numbers]

    # Scoring

    @property
    def main_metric(self) -> str:
        """Accuracy; for regression Pearson's correlation; for multi-label tasks micro-averaged F1."""
        return next(iter(metrics_for(self.labels, self.problem_type)))

    def measure(self, outputs: Logits, targets: Targets) -> dict[str, Measurement]:
        """Return `accuracy`, `f1` (for two classes), `macro_f1`, `matthews`; or those of numbers or sets."""
        return label_metrics(self.labels, self.problem_type, outputs, targets)

    @property
    def baseline_answer(self) -> str:
        """What the baseline answers, by problem type."""
        return {
            REGRESSION: "always giving the mean of the training labels",
            MULTI_LABEL: "always giving the labels that most texts have",
        }.get(self.problem_type, super().baseline_answer)

    def baseline(self, train: Targets, targets: Targets) -> dict[str, float]:
        """Return the metrics of `constant_answer`."""
        answers = constant_answer(self.problem_type, train, targets)
        found = scored_predictions(self.labels, self.problem_type, answers, targets)
        return {name: measurement.value for name, measurement in found.items()}

    # Errors

    @property
    def error_name(self) -> str:
        """The loss of a text in nats, or the difference of two numbers."""
        return "difference" if self.is_regression else "loss"

    def labelled_predictions(
        self, examples: Sequence[Row], outputs: Logits, targets: Targets
    ) -> Iterator[LabelledPrediction]:
        """Yield the label, the labels or the number of each text with its prediction; losses are in nats."""
        if self.is_regression:
            for label, predicted in zip(targets.tolist(), outputs[:, 0].tolist(), strict=True):
                yield LabelledPrediction(f"{label:.4g}", f"{predicted:.4g}", True, abs(predicted - label))
            return
        losses = self._losses((outputs / self.temperature).astype(np.float64), targets)
        for row, answer, loss in zip(examples, self.answers(outputs), losses.tolist(), strict=True):
            label = self._names(row)
            predicted = tuple(answer["labels"]) if self.is_multi_label else (answer["label"],)
            share = None if self.is_multi_label else answer["probabilities"][predicted[0]]
            shown = [SEPARATOR.join(names) or NO_LABEL for names in (label, predicted)]
            yield LabelledPrediction(shown[0], shown[1], set(label) != set(predicted), loss, share)

    def _losses(self, logits: npt.NDArray[np.float64], targets: Targets) -> npt.NDArray[np.float64]:
        """Return the losses in nats: float64 of [texts]."""
        if self.is_multi_label:
            found: npt.NDArray[np.float64] = binary_cross_entropies(logits, targets).sum(axis=1)
        else:
            found = -log_softmax(logits)[np.arange(len(logits)), targets.astype(np.int64)]
        return found

    def confusion_counts(self, outputs: Logits, targets: Targets) -> ConfusionCounts | None:
        """Count labels and predictions of texts; multi-label tasks have no pairs. None for regression."""
        if self.is_regression:
            return None
        if self.is_multi_label:
            predicted, label = label_probabilities(outputs) > THRESHOLD, targets > 0
            sums = zip((predicted & label).sum(0), predicted.sum(0), label.sum(0), strict=True)
            return ConfusionCounts(
                dict(zip(self.labels, (LabelCounts(*map(int, each)) for each in sums), strict=True)), {}
            )
        names = ([self.labels[int(number)] for number in side] for side in (targets, outputs.argmax(axis=1)))
        return count_confusions(sort_labels(self.labels), Counter(zip(*names, strict=True)))


TASK = SequenceClassification

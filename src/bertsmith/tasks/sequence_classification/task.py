"""sequence-classification: the label of a text or of a pair, several labels (multi-label), or a number (regression)."""

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
from bertsmith.metrics.classification import LOWER_IS_BETTER, MAY_BE_NEGATIVE
from bertsmith.metrics.entities import Counts
from bertsmith.metrics.measurements import Measurement
from bertsmith.metrics.probabilities import binary_cross_entropies, log_softmax
from bertsmith.runtime.console import warn
from bertsmith.tasks.base import Task
from bertsmith.tasks.encoded_texts import Encoded, encode, padded
from bertsmith.tasks.files.class_names import ClassNames
from bertsmith.tasks.files.label_checks import SEPARATOR, check_are_classes, label_warnings
from bertsmith.tasks.files.labelled_file import Columns, Label, Row, in_order, read_rows, reference_of
from bertsmith.tasks.files.reference import TEXT_COLUMNS_KEY, Reference, text_columns_of
from bertsmith.tasks.sequence_classification.answers import THRESHOLD, decode, label_probabilities
from bertsmith.tasks.sequence_classification.labels import labels_of, names_of, spellings, targets_of
from bertsmith.tasks.sequence_classification.metrics import Targets, compared, constant_answer, measured, metrics_of
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION, problem_type_of
from bertsmith.tasks.values import (
    SINGLE_LABEL,
    Batch,
    ComparisonItem,
    ConfusionCounts,
    Decisions,
    Ints,
    LabelledPrediction,
    Logits,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
    count_confusions,
)

NO_LABEL = "(none)"
"""An empty set of labels, for people."""


class SequenceClassification(Task[Row, Encoded, Targets, Logits]):
    """One row of ids and one row of logits per text; texts beyond the length are cut."""

    auto_class = "AutoModelForSequenceClassification"
    pipeline_tag = "text-classification"
    called = "classification head"
    config_keys = (TEXT_COLUMNS_KEY,)
    lower_is_better = LOWER_IS_BETTER
    signed_metrics = MAY_BE_NEGATIVE

    def __init__(self, labels: Sequence[str] = (), problem_type: str = SINGLE_LABEL) -> None:
        super().__init__(labels, problem_type)
        self.is_multi_label, self.is_regression = problem_type == MULTI_LABEL, problem_type == REGRESSION
        self.has_probabilities = self.supports_class_weights = problem_type == SINGLE_LABEL

    # Labels

    @classmethod
    def for_training(cls, examples: Sequence[Row], options: TaskOptions) -> SequenceClassification:
        """The labels of the file, none for regression."""
        problem_type = options.problem_type or SINGLE_LABEL
        task = cls(labels_of(examples, problem_type), problem_type)
        task.chosen = {TEXT_COLUMNS_KEY: [name for name in examples[0].columns if name]}
        return task

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> SequenceClassification:
        """The labels of the MODEL, none for regression."""
        asked = None if options is None else options.problem_type
        chosen = asked or problem_type_of(config)
        if (chosen == REGRESSION) != (config.num_labels == 1):
            raise OptionError(f"--problem-type {chosen}: {name} has {config.num_labels} outputs")
        labels = [] if chosen == REGRESSION else [config.id2label[number] for number in range(len(config.id2label))]
        return cls(labels, chosen).with_model_temperature(config, name)

    def config_values(self) -> dict[str, Any]:
        """The labels and the problem type."""
        return super().config_values() | {"problem_type": self.problem_type}

    @cached_property
    def _class_names(self) -> ClassNames:
        return ClassNames(self.labels)

    def _names(self, row: Row) -> tuple[str, ...]:
        return names_of(row, self.problem_type, self._class_names)

    def targets(self, examples: Sequence[Row], where: str) -> Targets:
        """float64 of [texts], for several labels of [texts, labels]."""
        return targets_of(examples, self.labels, self.problem_type, where)

    def label_counts(self, examples: Sequence[Row]) -> Mapping[str, int]:
        """Texts of each label."""
        if self.is_regression:
            return {}
        counts = Counter(name for row in examples for name in self._names(row))
        return {label: counts[label] for label in self.labels}

    def check_labels(self, examples: Sequence[Row], where: str, options: TaskOptions) -> None:
        """Numbers with decimals are no classes, unless the option insists on it."""
        if self._may_be_numbers(options):
            check_are_classes(where, self.labels, ((item.label, item.place) for item in self.items(examples)))

    def label_warnings(self, counts: Mapping[str, int], targets: Targets, options: TaskOptions) -> Iterable[str]:
        """Also of numbers that may not be classes, and of sets with at most one label."""
        most = int(targets.sum(axis=1).max()) if self.is_multi_label else None
        return label_warnings(counts, may_be_numbers=self._may_be_numbers(options), labels_per_text=most)

    def _may_be_numbers(self, options: TaskOptions) -> bool:
        return self.problem_type == SINGLE_LABEL and "problem_type" not in options.model_fields_set

    def warn_of_spellings(self, examples: Sequence[Row], where: str) -> None:
        """Numbers and truth values."""
        if self.is_regression:
            return
        merged = self._class_names.merged(name for row in examples for name in spellings(row, self.problem_type))
        if merged is not None:
            warn(f"{where}: {merged}")

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Row]:
        """The rows of CSV, TSV or JSON lines."""
        return read_rows(path, columns)

    @classmethod
    def reference(cls, examples: Sequence[Row], path: Path) -> Reference:
        """The columns of the texts."""
        return reference_of(examples, path)

    @classmethod
    def reference_of_model(cls, config: Any, name: str) -> Reference | None:
        """The columns of the texts."""
        return text_columns_of(config, name)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[Row]:
        """The rows, of pairs if the training file has pairs."""
        stand_in: Label = 0
        if not self.is_regression:
            stand_in = self.labels[0] if self.problem_type == SINGLE_LABEL else ()
        return read_rows(path, columns, stand_in=stand_in)

    def items(self, examples: Sequence[Row]) -> Iterator[ComparisonItem]:
        """The text or the pair, and the label."""
        for row in examples:
            texts = (row.text,) if row.pair is None else (row.text, row.pair)
            label = str(row.label) if self.is_regression else SEPARATOR.join(self._names(row))
            yield ComparisonItem(texts, label, row.place)

    def quantity(self, examples: Sequence[Row]) -> tuple[str, list[float]] | None:
        """The numbers of regression."""
        return ("label", [row.number(" for regression") for row in examples]) if self.is_regression else None

    def predictions(self, examples: Sequence[Row], outputs: Logits) -> Iterator[str]:
        """JSON lines: the text, its label in the file, and the answer of `classify`."""
        for row, answer in zip(examples, self.answers(outputs), strict=True):
            label = row.label_set if self.is_multi_label else row.label
            yield json.dumps({"text": row.text, "gold": label, **answer}, ensure_ascii=False)

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[Row], max_length: int) -> Encoded:
        """Texts, or pairs if the file has them."""
        pairs = [row.pair or "" for row in examples] if examples[0].pair is not None else None
        return encode(tokenizer, [row.text for row in examples], pairs, max_length)

    def batch(self, inputs: Encoded, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> Batch:
        """As `padded`."""
        return padded(inputs, rows, pad_token_id, with_types=with_types)

    def row_targets(self, inputs: Encoded, targets: Targets, rows: Sequence[int]) -> Targets:
        """float64 of [rows], for several labels of [rows, labels]."""
        return targets[list(rows)]

    def soft_targets(self, inputs: Encoded, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """float32 of [rows, labels]."""
        return np.stack([logits(row) for row in rows])

    # Prediction

    def keep(self, outputs: ModelOutputs, inputs: Encoded, rows: Sequence[int]) -> Logits:
        """The logits of each text: float32 of [labels]."""
        return outputs["logits"]

    def join(self, kept: Sequence[Logits], inputs: Encoded) -> Logits:
        """float32 of [texts, labels]."""
        return np.stack(kept)

    def answers(self, outputs: Logits) -> list[dict[str, Any]]:
        """As `decode`, with the labels and the temperature of the model."""
        return decode(outputs, dict(enumerate(self.labels)), self.problem_type, temperature=self.temperature)

    def decisions(self, outputs: Logits, targets: Targets) -> Decisions:
        """One per text."""
        return Decisions(outputs.astype(np.float64), targets.astype(np.int64))

    def some(self, outputs: Logits, targets: Targets, numbers: Ints) -> tuple[Logits, Targets]:
        """The rows."""
        return outputs[numbers], targets[numbers]

    # Scoring

    @property
    def main_metric(self) -> str:
        """Accuracy, for regression Pearson's correlation, for several labels micro-averaged F1."""
        return next(iter(metrics_of(self.labels, self.problem_type)))

    def measure(self, outputs: Logits, targets: Targets) -> dict[str, Measurement]:
        """`accuracy`, with two classes `f1` of the second, `macro_f1`, `matthews`; or those of numbers, or of sets."""
        return measured(self.labels, self.problem_type, outputs, targets)

    @property
    def baseline_answer(self) -> str:
        """The same for sets and numbers."""
        return {
            REGRESSION: "always giving the mean of the training labels",
            MULTI_LABEL: "always giving the labels that most texts have",
        }.get(self.problem_type, super().baseline_answer)

    def baseline(self, train: Targets, targets: Targets) -> dict[str, float]:
        """Always the most frequent class, the labels that more than half of the texts have, or the mean."""
        answers = constant_answer(self.problem_type, train, targets)
        found = compared(self.labels, self.problem_type, answers, targets)
        return {name: measurement.value for name, measurement in found.items()}

    # Errors

    @property
    def error(self) -> str:
        """The loss of a text, or the distance of two numbers."""
        return "difference" if self.is_regression else "loss"

    def labelled_predictions(
        self, examples: Sequence[Row], outputs: Logits, targets: Targets
    ) -> Iterator[LabelledPrediction]:
        """The label, or the labels, or the number; the loss is in nats."""
        if self.is_regression:
            for true, said in zip(targets.tolist(), outputs[:, 0].tolist(), strict=True):
                yield LabelledPrediction(f"{true:.4g}", f"{said:.4g}", True, abs(said - true))
            return
        losses = self._losses((outputs / self.temperature).astype(np.float64), targets)
        for row, answer, loss in zip(examples, self.answers(outputs), losses.tolist(), strict=True):
            true = self._names(row)
            said = tuple(answer["labels"]) if self.is_multi_label else (answer["label"],)
            share = None if self.is_multi_label else answer["probabilities"][said[0]]
            shown = [SEPARATOR.join(names) or NO_LABEL for names in (true, said)]
            yield LabelledPrediction(shown[0], shown[1], set(true) != set(said), loss, share)

    def _losses(self, logits: npt.NDArray[np.float64], targets: Targets) -> npt.NDArray[np.float64]:
        """float64 of [texts], in nats."""
        if self.is_multi_label:
            found: npt.NDArray[np.float64] = binary_cross_entropies(logits, targets).sum(axis=1)
        else:
            found = -log_softmax(logits)[np.arange(len(logits)), targets.astype(np.int64)]
        return found

    def confusion_counts(self, outputs: Logits, targets: Targets) -> ConfusionCounts | None:
        """Of texts; a text of several labels has no pair of them. None for numbers."""
        if self.is_regression:
            return None
        if self.is_multi_label:
            said, true = label_probabilities(outputs) > THRESHOLD, targets > 0
            sums = zip((said & true).sum(0), said.sum(0), true.sum(0), strict=True)
            return ConfusionCounts(dict(zip(self.labels, (Counts(*map(int, each)) for each in sums), strict=True)), {})
        names = ([self.labels[int(number)] for number in side] for side in (targets, outputs.argmax(axis=1)))
        return count_confusions(in_order(self.labels), Counter(zip(*names, strict=True)))


TASK = SequenceClassification

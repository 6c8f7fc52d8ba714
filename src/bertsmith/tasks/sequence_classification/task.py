"""sequence-classification: the label of a text or of a pair, several labels (multi-label), or a number (regression).

`encode` makes the model's inputs, `decode` reads its outputs, `score` compares with what is true.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError, OptionError
from bertsmith.metrics.classification import NUMBER_METRICS, SET_METRICS, Array, Metric, class_metrics
from bertsmith.metrics.entities import Counts
from bertsmith.metrics.measurements import Measurement
from bertsmith.runtime.console import warn
from bertsmith.tasks.base import (
    MULTI_LABEL,
    SINGLE_LABEL,
    Decisions,
    Head,
    Item,
    Judged,
    Logits,
    Tally,
    tally_of_pairs,
)
from bertsmith.tasks.class_weights import sum_of_weights, weighted_loss_sum, weighted_sum
from bertsmith.tasks.encoded_texts import Encoded, encode, padded
from bertsmith.tasks.files.class_names import ClassNames, one_name_each
from bertsmith.tasks.files.label_checks import SEPARATOR, are_decimals, differs_in_spelling, same_but_for_spelling
from bertsmith.tasks.files.labelled_file import (
    Columns,
    Label,
    Row,
    in_order,
    read_rows,
    reference_of,
    refuse_other_separators,
    refuse_vectors,
)
from bertsmith.tasks.files.reference import TEXT_COLUMNS_KEY, Reference, text_columns_of
from bertsmith.tasks.soft_targets import soft_losses, with_opposite
from bertsmith.tasks.token_classification.tag_kinds import LabelsAre

REGRESSION = "regression"
THRESHOLD = 0.5
"""A label of several is answered where its probability is above this."""
NO_LABEL = "(none)"
"""What stands for no label of several, for people."""


def labels_of(rows: Sequence[Row], problem_type: str) -> list[str]:
    """The labels of a training file, sorted (as numbers where all are whole numbers); none for regression."""
    if problem_type == REGRESSION:
        return []
    _check_forms(rows, problem_type)
    names = one_name_each(name for row in rows for name in _spellings(row, problem_type))
    if not names:
        raise DataError("the training file has no label, every field of labels is empty; is it the right column?")
    if len(names) < 2:
        what = "label" if problem_type == MULTI_LABEL else "class"
        raise DataError(f"the training file has one {what} alone, {names[0]!r}; expected at least two")
    return in_order(names)


def _spellings(row: Row, problem_type: str) -> tuple[str, ...]:
    """The labels of a row as the file spells them: one, or as many as it has."""
    return row.label_set if problem_type == MULTI_LABEL else (row.class_name,)


def _names(row: Row, problem_type: str, classes: ClassNames) -> tuple[str, ...]:
    """The labels of a row by the names of their classes."""
    return tuple(dict.fromkeys(classes[name] for name in _spellings(row, problem_type)))


def _check_forms(rows: Sequence[Row], problem_type: str, labels: Sequence[str] = ()) -> None:
    """Raises DataError for labels that are vectors, or several in one field with the wrong separator."""
    refuse_vectors(rows)
    if problem_type == MULTI_LABEL:
        refuse_other_separators(rows, labels)


def targets(rows: Sequence[Row], labels: Sequence[str], problem_type: str, where: str) -> npt.NDArray[np.float64]:
    """float64 of [rows]: the number of each row's class, or its value; for several labels of [rows, labels], 0 or 1.

    Raises DataError for a label that the training file lacks, and for a value that is not a finite number.
    """
    if problem_type == REGRESSION:
        return np.array([row.number(" for regression") for row in rows])
    _check_forms(rows, problem_type, labels)
    numbers, classes = {label: number for number, label in enumerate(labels)}, ClassNames(labels)
    names = [_names(row, problem_type, classes) for row in rows]
    unknown = sorted({name for found in names for name in found} - set(labels))
    if unknown:
        first = next(row for row, found in zip(rows, names, strict=True) if unknown[0] in found)
        near = same_but_for_spelling(unknown[0], labels)
        decimals = are_decimals({*labels, *unknown})
        raise DataError(
            f"{first.where}: label {unknown[0]!r} is not among those of the model ({', '.join(labels[:20])})"
            + (f"; {len(unknown)} such labels in all" if near is None else differs_in_spelling(unknown[0], near))
            + (f". If the labels are numbers to learn, train with --problem-type {REGRESSION}" if decimals else "")
        )
    if problem_type == MULTI_LABEL:
        sets = np.zeros((len(rows), len(labels)))
        for number, found in enumerate(names):
            sets[number, [numbers[name] for name in found]] = 1
        return sets
    return np.array([numbers[name] for (name,) in names], dtype=np.float64)


def loss_sum(logits: Tensor, gold: Tensor, problem_type: str) -> Tensor:
    """float32 scalar: cross-entropy in nats, or the squared error, summed over the examples; for several labels the
    binary cross-entropy in nats, summed over examples and labels.
    """
    if problem_type == REGRESSION:
        return functional.mse_loss(logits.float().squeeze(-1), gold.float(), reduction="sum")
    if problem_type == MULTI_LABEL:
        return functional.binary_cross_entropy_with_logits(logits.float(), gold.float(), reduction="sum")
    return functional.cross_entropy(logits.float(), gold.long(), reduction="sum")


def decode(
    logits: npt.NDArray[np.float32], id2label: dict[int, str], problem_type: str, temperature: float = 1.0
) -> list[dict[str, Any]]:
    """What the verb `classify` answers for each row of logits: [texts, labels]; a temperature is for classes alone."""
    if problem_type == REGRESSION:
        return [{"value": float(row[0])} for row in logits]
    if problem_type == MULTI_LABEL:
        found = []
        for row in _probabilities_of_sets(logits):
            by_label = {id2label[number]: float(value) for number, value in enumerate(row)}
            answered = [label for label, value in by_label.items() if value > THRESHOLD]
            found.append({"labels": answered, "probabilities": by_label})
        return found
    shifted = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    answers = []
    for best, row in zip(logits.argmax(axis=1), probabilities, strict=True):
        by_label = {id2label[number]: float(value) for number, value in enumerate(row)}
        answers.append({"label": id2label[int(best)], "probabilities": by_label})
    return answers


def _probabilities_of_sets(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """float64 of [texts, labels]: of each label by itself."""
    probabilities: npt.NDArray[np.float64] = torch.from_numpy(logits).double().sigmoid().numpy()
    return probabilities


def problem_type_of(config: Any) -> str:
    """The problem type that a model's configuration says."""
    said = getattr(config, "problem_type", None)
    if said is None:
        return REGRESSION if config.num_labels == 1 else SINGLE_LABEL
    return str(said)


class SequenceClassification(Head[Row, Encoded, npt.NDArray[np.float64], npt.NDArray[np.float32]]):
    """One row of ids and one row of logits a text; texts beyond the length are cut."""

    auto_class = "AutoModelForSequenceClassification"
    pipeline_tag = "text-classification"
    called = "classification head"

    @classmethod
    def for_training(
        cls, examples: Sequence[Row], problem_type: str, *, labels_are: LabelsAre | None = None
    ) -> SequenceClassification:
        """The labels of the file, none for regression."""
        head = cls(labels_of(examples, problem_type), problem_type)
        head.chosen = {TEXT_COLUMNS_KEY: [name for name in examples[0].columns if name]}
        return head

    @classmethod
    def for_model(cls, config: Any, problem_type: str | None, name: str) -> SequenceClassification:
        """The labels of the MODEL, none for regression."""
        chosen = problem_type or problem_type_of(config)
        if (chosen == REGRESSION) != (config.num_labels == 1):
            raise OptionError(f"--problem-type {chosen}: {name} has {config.num_labels} outputs")
        labels = [] if chosen == REGRESSION else [config.id2label[number] for number in range(len(config.id2label))]
        return cls(labels, chosen).with_temperature_of(config, name)

    def _names(self, row: Row) -> tuple[str, ...]:
        return _names(row, self.problem_type, self._class_names)

    @cached_property
    def _class_names(self) -> ClassNames:
        return ClassNames(self.labels)

    def warn_of_spellings(self, examples: Sequence[Row], where: str) -> None:
        """Numbers and truth values."""
        if self.problem_type == REGRESSION:
            return
        merged = self._class_names.merged(name for row in examples for name in _spellings(row, self.problem_type))
        if merged is not None:
            warn(f"{where}: {merged}")

    def config_values(self) -> dict[str, Any]:
        """The labels and the problem type."""
        return super().config_values() | {"problem_type": self.problem_type}

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
        """The rows, of pairs where the training file has pairs."""
        stand_in: Label = 0
        if self.problem_type != REGRESSION:
            stand_in = self.labels[0] if self.problem_type == SINGLE_LABEL else ()
        return read_rows(path, columns, stand_in=stand_in)

    def targets(self, examples: Sequence[Row], where: str) -> npt.NDArray[np.float64]:
        """float64 of [texts], for several labels of [texts, labels]."""
        return targets(examples, self.labels, self.problem_type, where)

    def label_counts(self, examples: Sequence[Row]) -> Mapping[str, int]:
        """Texts of each label."""
        if self.problem_type == REGRESSION:
            return {}
        counts = Counter(name for row in examples for name in self._names(row))
        return {label: counts[label] for label in self.labels}

    def items(self, examples: Sequence[Row]) -> Iterator[Item]:
        """The text or the pair, and the label."""
        for row in examples:
            texts = (row.text,) if row.pair is None else (row.text, row.pair)
            label = str(row.label) if self.problem_type == REGRESSION else SEPARATOR.join(self._names(row))
            yield Item(texts, label, row.place)

    def predictions(self, examples: Sequence[Row], outputs: npt.NDArray[np.float32]) -> Iterator[str]:
        """JSON lines: the text, its label in the file, and the answer of `classify`."""
        for row, answer in zip(examples, self.answers(outputs), strict=True):
            gold = row.label_set if self.problem_type == MULTI_LABEL else row.label
            yield json.dumps({"text": row.text, "gold": gold, **answer}, ensure_ascii=False)

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Row], max_length: int) -> Encoded:
        """Texts, or pairs where the file has them."""
        pairs = [row.pair or "" for row in examples] if examples[0].pair is not None else None
        return encode(tokenizer, [row.text for row in examples], pairs, max_length)

    def batch(self, inputs: Encoded, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> dict[str, Tensor]:
        """As `padded`."""
        return padded(inputs, rows, pad_token_id, with_types=with_types)

    def gold(self, inputs: Encoded, targets: npt.NDArray[np.float64], rows: Sequence[int]) -> Tensor:
        """float64 of [rows], for several labels of [rows, labels]."""
        return torch.from_numpy(targets[list(rows)])

    @property
    def weighs_classes(self) -> bool:
        """Where there are classes, and a text has one."""
        return self.problem_type == SINGLE_LABEL

    def loss_count(self, gold: Tensor) -> float:
        """One loss a text, or what it weighs; for several labels one a text and label."""
        return gold.numel() if self.class_weights is None else sum_of_weights(gold.long(), self.class_weights)

    def loss_sum(self, output: Any, gold: Tensor) -> Tensor:
        """As the function `loss_sum`, of the model's logits: [rows, labels]."""
        if self.class_weights is not None:
            return weighted_loss_sum(output.logits, gold.long(), self.class_weights)
        return loss_sum(output.logits, gold, self.problem_type)

    def soft_targets(self, inputs: Encoded, logits: Callable[[int], Logits], rows: Sequence[int]) -> Tensor:
        """float32 of [rows, labels]."""
        return torch.from_numpy(np.stack([logits(row) for row in rows]))

    def soft_loss_sum(self, output: Any, soft: Tensor, gold: Tensor, temperature: float) -> Tensor:
        """Of classes one loss a text, of several labels one a text and label; of numbers the squared difference."""
        student = output.logits.float()
        if self.problem_type == REGRESSION:
            return functional.mse_loss(student, soft, reduction="sum")
        if self.problem_type == MULTI_LABEL:
            return soft_losses(with_opposite(student), with_opposite(soft), temperature).sum()
        losses = soft_losses(student, soft, temperature)
        return losses.sum() if self.class_weights is None else weighted_sum(losses, gold.long(), self.class_weights)

    def keep(self, output: Any, inputs: Encoded, rows: Sequence[int]) -> Iterable[npt.NDArray[np.float32]]:
        """The logits of each text: float32 of [labels]."""
        logits: npt.NDArray[np.float32] = output.logits.float().cpu().numpy()
        return logits

    def join(self, kept: Sequence[npt.NDArray[np.float32]], inputs: Encoded) -> npt.NDArray[np.float32]:
        """float32 of [texts, labels]."""
        return np.stack(kept)

    def answers(self, outputs: npt.NDArray[np.float32]) -> list[dict[str, Any]]:
        """As `decode`, with the labels and the temperature of the head."""
        return decode(outputs, dict(enumerate(self.labels)), self.problem_type, self.temperature)

    @property
    def has_probabilities(self) -> bool:
        """Where there are classes, and a text has one."""
        return self.problem_type == SINGLE_LABEL

    def decisions(self, outputs: npt.NDArray[np.float32], targets: npt.NDArray[np.float64]) -> Decisions:
        """A text each."""
        return Decisions(outputs.astype(np.float64), targets.astype(np.int64))

    @property
    def main_metric(self) -> str:
        """Accuracy, for regression Pearson's correlation, for several labels micro-averaged F1."""
        return next(iter(self._metrics))

    @property
    def _metrics(self) -> dict[str, Metric]:
        if self.problem_type == REGRESSION:
            return NUMBER_METRICS
        return SET_METRICS if self.problem_type == MULTI_LABEL else class_metrics(len(self.labels))

    def _answers(self, outputs: npt.NDArray[np.float32]) -> Array:
        """What the metrics compare: numbers, bool of [texts, labels], or classes."""
        if self.problem_type == REGRESSION:
            return outputs[:, 0].astype(np.float64)
        if self.problem_type == MULTI_LABEL:
            return self._in_order(_probabilities_of_sets(outputs) > THRESHOLD)
        return self._classes(outputs.argmax(axis=1))

    def _truth(self, targets: npt.NDArray[np.float64]) -> Array:
        """The targets in the same form."""
        if self.problem_type == MULTI_LABEL:
            return self._in_order(targets)
        return self._classes(targets) if self.problem_type == SINGLE_LABEL else targets

    def _classes(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Numbers of the model's labels as classes in the order of the labels, which a model need not keep."""
        order = {label: place for place, label in enumerate(self.told_apart)}
        places = np.array([order[label] for label in self.labels])
        classes: npt.NDArray[np.int64] = places[numbers.astype(np.int64)]
        return classes

    def _in_order(self, sets: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[texts, labels] with the columns in the order of the labels."""
        return sets[:, [self.labels.index(label) for label in self.told_apart]]

    def measure(self, outputs: npt.NDArray[np.float32], targets: npt.NDArray[np.float64]) -> dict[str, Measurement]:
        """`accuracy`, with two classes `f1` of the second, `macro_f1`, `matthews`; or those of numbers, or of sets."""
        truth, answers = self._truth(targets), self._answers(outputs)
        return {name: metric.measure(truth, answers) for name, metric in self._metrics.items()}

    def _compared(self, answers: Array, targets: npt.NDArray[np.float64]) -> dict[str, float]:
        truth = self._truth(targets)
        return {name: metric(truth, answers) for name, metric in self._metrics.items()}

    @property
    def baseline_answer(self) -> str:
        """The same for sets and numbers."""
        return {
            REGRESSION: "always giving the mean of the training labels",
            MULTI_LABEL: "always giving the labels that most texts have",
        }.get(self.problem_type, super().baseline_answer)

    def baseline(self, train: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> dict[str, float]:
        """Always the most frequent class, the labels that more than half of the texts have, or the mean."""
        if self.problem_type == REGRESSION:
            return self._compared(np.full_like(targets, train.mean()), targets)
        if self.problem_type == MULTI_LABEL:
            answers = np.broadcast_to(train.mean(axis=0) > 0.5, targets.shape)
            return self._compared(self._in_order(answers), targets)
        values, counts = np.unique(train, return_counts=True)
        return self._compared(self._classes(np.full_like(targets, values[counts.argmax()])), targets)

    # Look at errors

    @property
    def error(self) -> str:
        """The loss of a text, or the distance of two numbers."""
        return "difference" if self.problem_type == REGRESSION else "loss"

    def judged(
        self, examples: Sequence[Row], outputs: npt.NDArray[np.float32], targets: npt.NDArray[np.float64]
    ) -> Iterator[Judged]:
        """The label, or the labels, or the number; the loss is in nats."""
        if self.problem_type == REGRESSION:
            for true, said in zip(targets.tolist(), outputs[:, 0].tolist(), strict=True):
                yield Judged(f"{true:.4g}", f"{said:.4g}", True, abs(said - true))
            return
        logits = torch.from_numpy(outputs / self.temperature)
        if self.problem_type == MULTI_LABEL:
            losses = functional.binary_cross_entropy_with_logits(
                logits.double(), torch.from_numpy(targets), reduction="none"
            ).sum(1)
        else:
            losses = functional.cross_entropy(logits.double(), torch.from_numpy(targets).long(), reduction="none")
        for row, answer, loss in zip(examples, self.answers(outputs), losses.tolist(), strict=True):
            true = self._names(row)
            said = tuple(answer["labels"]) if self.problem_type == MULTI_LABEL else (answer["label"],)
            share = None if self.problem_type == MULTI_LABEL else answer["probabilities"][said[0]]
            shown = [SEPARATOR.join(names) or NO_LABEL for names in (true, said)]
            yield Judged(shown[0], shown[1], set(true) != set(said), loss, share)

    def some(
        self,
        outputs: npt.NDArray[np.float32],
        targets: npt.NDArray[np.float64],
        numbers: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """The rows."""
        return outputs[numbers], targets[numbers]

    def tally(self, outputs: npt.NDArray[np.float32], targets: npt.NDArray[np.float64]) -> Tally | None:
        """Of texts; a text of several labels has no pair of them. None for numbers."""
        if self.problem_type == REGRESSION:
            return None
        if self.problem_type == MULTI_LABEL:
            said, true = _probabilities_of_sets(outputs) > THRESHOLD, targets > 0
            sums = zip((said & true).sum(0), said.sum(0), true.sum(0), strict=True)
            return Tally(dict(zip(self.labels, (Counts(*map(int, each)) for each in sums), strict=True)), {})
        names = ([self.labels[int(number)] for number in side] for side in (targets, outputs.argmax(axis=1)))
        return tally_of_pairs(in_order(self.labels), Counter(zip(*names, strict=True)))

    def quantity(self, examples: Sequence[Row]) -> tuple[str, list[float]] | None:
        """The numbers of regression."""
        if self.problem_type != REGRESSION:
            return None
        return "label", [row.number(" for regression") for row in examples]


TASK = SequenceClassification

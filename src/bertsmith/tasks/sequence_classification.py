"""sequence-classification: the label of a text or of a pair, or a number (regression).

`encode` makes the model's inputs, `decode` reads its outputs, `score` compares with what is true.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError, OptionError
from bertsmith.metrics.classification import (
    Interval,
    accuracy,
    bootstrap,
    macro_f1,
    mean_squared_error,
    pearson,
    spearman,
)
from bertsmith.tasks.class_weights import sum_of_weights, weighted_loss_sum
from bertsmith.tasks.encoded_texts import Encoded, encode, padded
from bertsmith.tasks.head import Head, Item
from bertsmith.tasks.labelled_file import Columns, Row, in_order, read_rows

REGRESSION = "regression"
SINGLE_LABEL = "single_label_classification"
MAIN_METRIC = {SINGLE_LABEL: "accuracy", REGRESSION: "pearson"}


def labels_of(rows: Sequence[Row], problem_type: str) -> list[str]:
    """The classes of a training file, sorted (as numbers where all are whole numbers); none for regression."""
    if problem_type == REGRESSION:
        return []
    names = {str(row.label).strip() for row in rows}
    if len(names) < 2:
        raise DataError(f"the training file has one class alone, {next(iter(names))!r}; expected at least two")
    return in_order(names)


def targets(rows: Sequence[Row], labels: Sequence[str], where: str) -> npt.NDArray[np.float64]:
    """float64 of [rows]: the number of each row's class, or its value where there are no classes.

    Raises DataError for a class that the training file lacks, and for a value that is not a finite number.
    """
    if labels:
        numbers = {label: number for number, label in enumerate(labels)}
        unknown = sorted({str(row.label).strip() for row in rows} - set(labels))
        if unknown:
            place = next(row.place for row in rows if str(row.label).strip() == unknown[0])
            where = f"{where}: {place}" if place else where
            raise DataError(
                f"{where}: label {unknown[0]!r} is not among those of the model ({', '.join(labels[:20])}); "
                f"{len(unknown)} such labels in all"
            )
        return np.array([numbers[str(row.label).strip()] for row in rows], dtype=np.float64)
    values = []
    for number, row in enumerate(rows, start=1):
        try:
            value = float(row.label)
        except (ValueError, OverflowError):
            value = float("nan")
        if not np.isfinite(value):
            raise DataError(
                f"{where}: {row.place or f'row {number}'}: label {row.label!r}, expected a finite number for regression"
            )
        values.append(value)
    return np.array(values)


def loss_sum(logits: Tensor, gold: Tensor, problem_type: str) -> Tensor:
    """float32 scalar: cross-entropy in nats, or the squared error, summed over the examples."""
    if problem_type == REGRESSION:
        return functional.mse_loss(logits.float().squeeze(-1), gold.float(), reduction="sum")
    return functional.cross_entropy(logits.float(), gold.long(), reduction="sum")


def decode(logits: npt.NDArray[np.float32], id2label: dict[int, str], problem_type: str) -> list[dict[str, Any]]:
    """What the verb `classify` answers for each row of logits: [texts, labels]."""
    if problem_type == REGRESSION:
        return [{"value": float(row[0])} for row in logits]
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    answers = []
    for row in probabilities:
        by_label = {id2label[number]: float(value) for number, value in enumerate(row)}
        answers.append({"label": id2label[int(row.argmax())], "probabilities": by_label})
    return answers


def score(logits: npt.NDArray[np.float32], gold: npt.NDArray[np.float64], problem_type: str) -> dict[str, Interval]:
    """The metrics of predictions, each with a bootstrap interval; the main one first."""
    if problem_type == REGRESSION:
        predicted = logits[:, 0].astype(np.float64)
        metrics = {"pearson": pearson, "spearman": spearman, "mean_squared_error": mean_squared_error}
        return {name: bootstrap(metric, gold, predicted) for name, metric in metrics.items()}
    classes = logits.argmax(axis=1).astype(np.float64)
    return {
        "accuracy": bootstrap(accuracy, gold, classes),
        "macro_f1": bootstrap(macro_f1, gold, classes),
    }


def main_value(logits: npt.NDArray[np.float32], gold: npt.NDArray[np.float64], problem_type: str) -> float:
    """The main metric alone, by which checkpoints and seeds are chosen."""
    if problem_type == REGRESSION:
        return pearson(gold, logits[:, 0].astype(np.float64))
    return accuracy(gold, logits.argmax(axis=1).astype(np.float64))


def baseline(train: npt.NDArray[np.float64], gold: npt.NDArray[np.float64], problem_type: str) -> dict[str, float]:
    """What always answering the most frequent class, or the mean, reaches."""
    if problem_type == REGRESSION:
        mean = np.full_like(gold, train.mean())
        return {"pearson": 0.0, "spearman": 0.0, "mean_squared_error": mean_squared_error(gold, mean)}
    values, counts = np.unique(train, return_counts=True)
    constant = np.full_like(gold, values[counts.argmax()])
    return {"accuracy": accuracy(gold, constant), "macro_f1": macro_f1(gold, constant)}


def problem_type_of(config: Any) -> str:
    """`regression` or `single_label_classification`, as a model's configuration says."""
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
    def for_training(cls, examples: Sequence[Row], problem_type: str) -> SequenceClassification:
        """The classes of the file, none for regression."""
        return cls(labels_of(examples, problem_type), problem_type)

    @classmethod
    def for_model(cls, config: Any, problem_type: str | None, name: str) -> SequenceClassification:
        """The classes of the MODEL, none for regression."""
        chosen = problem_type or problem_type_of(config)
        if (chosen == REGRESSION) != (config.num_labels == 1):
            raise OptionError(f"--problem-type {chosen}: {name} has {config.num_labels} outputs")
        labels = [] if chosen == REGRESSION else [config.id2label[number] for number in range(len(config.id2label))]
        return cls(labels, chosen)

    def config_values(self) -> dict[str, Any]:
        """The labels and the problem type."""
        return super().config_values() | {"problem_type": self.problem_type}

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Row]:
        """The rows of CSV, TSV or JSON lines."""
        return read_rows(path, columns)

    def targets(self, examples: Sequence[Row], where: str) -> npt.NDArray[np.float64]:
        """float64 of [texts]."""
        return targets(examples, self.labels, where)

    def label_counts(self, examples: Sequence[Row]) -> Mapping[str, int]:
        """Texts of each class."""
        counts = Counter(str(row.label).strip() for row in examples)
        return {label: counts[label] for label in self.labels}

    def items(self, examples: Sequence[Row]) -> Iterator[Item]:
        """The text or the pair, and the label."""
        for row in examples:
            texts = (row.text,) if row.pair is None else (row.text, row.pair)
            yield Item(texts, str(row.label).strip(), row.place)

    def predictions(self, examples: Sequence[Row], outputs: npt.NDArray[np.float32]) -> Iterator[str]:
        """JSON lines: the text, its label in the file, and the answer of `classify`."""
        answers = decode(outputs, dict(enumerate(self.labels)), self.problem_type)
        for row, answer in zip(examples, answers, strict=True):
            yield json.dumps({"text": row.text, "gold": row.label, **answer}, ensure_ascii=False)

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Row], max_length: int) -> Encoded:
        """Texts, or pairs where the file has them."""
        pairs = [row.pair or "" for row in examples] if examples[0].pair is not None else None
        return encode(tokenizer, [row.text for row in examples], pairs, max_length)

    def batch(self, inputs: Encoded, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> dict[str, Tensor]:
        """As `padded`."""
        return padded(inputs, rows, pad_token_id, with_types=with_types)

    def gold(self, inputs: Encoded, targets: npt.NDArray[np.float64], rows: Sequence[int]) -> Tensor:
        """float64 of [rows]."""
        return torch.from_numpy(targets[list(rows)])

    @property
    def weighs_classes(self) -> bool:
        """Where there are classes, and a text has one."""
        return self.problem_type == SINGLE_LABEL

    def loss_count(self, gold: Tensor) -> float:
        """One loss a text."""
        return len(gold) if self.class_weights is None else sum_of_weights(gold.long(), self.class_weights)

    def loss_sum(self, output: Any, gold: Tensor) -> Tensor:
        """As the function `loss_sum`, of the model's logits: [rows, labels]."""
        if self.class_weights is not None:
            return weighted_loss_sum(output.logits, gold.long(), self.class_weights)
        return loss_sum(output.logits, gold, self.problem_type)

    def keep(self, output: Any, inputs: Encoded, rows: Sequence[int]) -> Iterable[npt.NDArray[np.float32]]:
        """The logits of each text: float32 of [labels]."""
        logits: npt.NDArray[np.float32] = output.logits.float().cpu().numpy()
        return logits

    def join(self, kept: Sequence[npt.NDArray[np.float32]], inputs: Encoded) -> npt.NDArray[np.float32]:
        """float32 of [texts, labels]."""
        return np.stack(kept)

    @property
    def main_metric(self) -> str:
        """Accuracy, for regression Pearson's correlation."""
        return MAIN_METRIC[self.problem_type]

    def main_value(self, outputs: npt.NDArray[np.float32], targets: npt.NDArray[np.float64]) -> float:
        """As the function `main_value`."""
        return main_value(outputs, targets, self.problem_type)

    def score(self, outputs: npt.NDArray[np.float32], targets: npt.NDArray[np.float64]) -> dict[str, Interval]:
        """As the function `score`."""
        return score(outputs, targets, self.problem_type)

    def baseline(self, train: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> dict[str, float]:
        """As the function `baseline`."""
        return baseline(train, targets, self.problem_type)


HEAD = SequenceClassification

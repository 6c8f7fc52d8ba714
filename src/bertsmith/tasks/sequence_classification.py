"""sequence-classification: the label of a text or of a pair, or a number (regression).

`encode` makes the model's inputs, `decode` reads its outputs, `score` compares with what is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError
from bertsmith.metrics.classification import (
    Interval,
    accuracy,
    bootstrap,
    macro_f1,
    mean_squared_error,
    pearson,
    spearman,
)
from bertsmith.tasks.labelled_file import Row, in_order
from bertsmith.tokenization.folder import reset

AUTO_CLASS = "AutoModelForSequenceClassification"
REGRESSION = "regression"
SINGLE_LABEL = "single_label_classification"
MAIN_METRIC = {SINGLE_LABEL: "accuracy", REGRESSION: "pearson"}


@dataclass(frozen=True)
class Encoded:
    """Texts as ids.

    Attributes:
        input_ids, token_type_ids: a list of ids for each text, special tokens included, not padded.
        truncated_tokens: how many tokens of each text were cut.
    """

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    truncated_tokens: list[int]

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(ids) for ids in self.input_ids]


def encode(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
) -> Encoded:
    """Encode texts or pairs; what is beyond `max_length` is cut (pairs: from the longer one) and counted."""
    if not texts:
        return Encoded([], [], [])
    whole = tokenizer(list(texts), list(pairs) if pairs is not None else None, return_token_type_ids=True)
    ids, types = list(whole["input_ids"]), list(whole["token_type_ids"])
    cut = [max(len(item) - max_length, 0) for item in ids]
    long = [number for number, lost in enumerate(cut) if lost]
    if long:
        shorter = tokenizer(
            [texts[number] for number in long],
            [pairs[number] for number in long] if pairs is not None else None,
            truncation="longest_first",
            max_length=max_length,
            return_token_type_ids=True,
        )
        reset(tokenizer)
        for place, number in enumerate(long):
            ids[number], types[number] = shorter["input_ids"][place], shorter["token_type_ids"][place]
    return Encoded(ids, types, cut)


def padded(encoded: Encoded, numbers: Sequence[int], pad_token_id: int, *, with_types: bool) -> dict[str, Tensor]:
    """The batch of some texts, padded to the longest: int64 of [texts, length]."""
    length = max(len(encoded.input_ids[number]) for number in numbers)
    input_ids = torch.full((len(numbers), length), pad_token_id)
    types = torch.zeros_like(input_ids)
    mask = torch.zeros_like(input_ids)
    for row, number in enumerate(numbers):
        ids = encoded.input_ids[number]
        input_ids[row, : len(ids)] = torch.tensor(ids)
        types[row, : len(ids)] = torch.tensor(encoded.token_type_ids[number])
        mask[row, : len(ids)] = 1
    batch = {"input_ids": input_ids, "attention_mask": mask}
    return batch | {"token_type_ids": types} if with_types else batch


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
            raise DataError(
                f"{where}: label {unknown[0]!r} is not among those of the model ({', '.join(labels[:20])}); "
                f"{len(unknown)} such labels in all"
            )
        return np.array([numbers[str(row.label).strip()] for row in rows], dtype=np.float64)
    values = []
    for number, row in enumerate(rows, start=1):
        try:
            value = float(row.label)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise DataError(f"{where}: row {number}: label {row.label!r}, expected a finite number for regression")
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

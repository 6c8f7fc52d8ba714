"""Logits to answers: the label of each text with its probabilities, its labels, or its value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.probabilities import sigmoid, softmax
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.values import Logits

THRESHOLD = 0.5
"""In a multi-label answer are the labels whose probability is above this."""


def decode(
    logits: Logits, id2label: dict[int, str], problem_type: str, *, temperature: float = 1.0
) -> list[dict[str, Any]]:
    """The answers of the verb `classify` for rows of logits, [texts, labels]; only classes have a temperature."""
    if problem_type == REGRESSION:
        return [{"value": float(row[0])} for row in logits]
    if problem_type == MULTI_LABEL:
        found = []
        for row in label_probabilities(logits):
            by_label = {id2label[number]: float(value) for number, value in enumerate(row)}
            answered = [label for label, value in by_label.items() if value > THRESHOLD]
            found.append({"labels": answered, "probabilities": by_label})
        return found
    answers = []
    for best, row in zip(logits.argmax(axis=1), softmax(logits, temperature), strict=True):
        by_label = {id2label[number]: float(value) for number, value in enumerate(row)}
        answers.append({"label": id2label[int(best)], "probabilities": by_label})
    return answers


def label_probabilities(logits: Logits) -> npt.NDArray[np.float64]:
    """float64 of [texts, labels]: of each label by itself."""
    return sigmoid(logits.astype(np.float64))

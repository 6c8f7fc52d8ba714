"""Conversion of logits to answers: the label of each text with probabilities, several labels, or a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.probabilities import sigmoid, softmax
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.values import Logits

THRESHOLD = 0.5
"""A multi-label answer has the labels whose probability is above this."""


def decode(
    logits: Logits, id2label: dict[int, str], problem_type: str, *, temperature: float = 1.0
) -> list[dict[str, Any]]:
    """Return the answers of `classify` for logits of [texts, labels]; the temperature is for single-label models."""
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
    """Return the independent probability of each label: float64 of [texts, labels]."""
    return sigmoid(logits.astype(np.float64))

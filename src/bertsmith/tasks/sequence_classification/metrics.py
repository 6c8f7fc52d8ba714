"""The metrics of labels, of sets of labels, and of numbers, the main one first, in the order of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.classification import NUMBER_METRICS, SET_METRICS, Array, Metric, class_metrics
from bertsmith.metrics.measurements import Measurement
from bertsmith.tasks.files.labelled_file import in_order
from bertsmith.tasks.sequence_classification.answers import THRESHOLD, label_probabilities
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.values import Logits

Targets = npt.NDArray[np.float64]


def metrics_of(labels: Sequence[str], problem_type: str) -> Mapping[str, Metric]:
    """The metrics of a problem type."""
    if problem_type == REGRESSION:
        return NUMBER_METRICS
    return SET_METRICS if problem_type == MULTI_LABEL else class_metrics(len(labels))


def label_metrics(labels: Sequence[str], problem_type: str, logits: Logits, targets: Targets) -> dict[str, Measurement]:
    """The metrics of a model's logits, [texts, labels], whose labels may be in any order."""
    if problem_type == REGRESSION:
        answers: Array = logits[:, 0].astype(np.float64)
    elif problem_type == MULTI_LABEL:
        answers = label_probabilities(logits) > THRESHOLD
    else:
        answers = logits.argmax(axis=1)
    return scored_predictions(labels, problem_type, answers, targets)


def scored_predictions(
    labels: Sequence[str], problem_type: str, answers: Array, targets: Targets
) -> dict[str, Measurement]:
    """The metrics of answers: numbers, bool of [texts, labels], or the numbers of labels."""
    sides: list[Array] = [targets, answers]
    if problem_type == MULTI_LABEL:
        columns = [list(labels).index(label) for label in in_order(labels)]
        sides = [side[:, columns] for side in sides]
    elif problem_type != REGRESSION:
        # Classes are numbered in the order of the labels, which a model need not keep.
        order = {label: place for place, label in enumerate(in_order(labels))}
        places = np.array([order[label] for label in labels])
        sides = [places[side.astype(np.int64)] for side in sides]
    return {name: metric.measure(*sides) for name, metric in metrics_of(labels, problem_type).items()}


def constant_answer(problem_type: str, train: Targets, targets: Targets) -> Array:
    """The answers of the baseline: the most frequent class, the labels that more than half of the texts have, or the
    mean."""
    if problem_type == REGRESSION:
        return np.full_like(targets, train.mean())
    if problem_type == MULTI_LABEL:
        return np.broadcast_to(train.mean(axis=0) > 0.5, targets.shape)
    values, counts = np.unique(train, return_counts=True)
    return np.full_like(targets, values[counts.argmax()])

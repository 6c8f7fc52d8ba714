"""The metrics of labels, label sets and numbers, the main metric first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.classification import NUMBER_METRICS, SET_METRICS, Array, Metric, class_metrics
from bertsmith.metrics.measurements import Measurement
from bertsmith.tasks.files.labelled_file import sort_labels
from bertsmith.tasks.sequence_classification.answers import THRESHOLD, label_probabilities
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.values import Logits

Targets = npt.NDArray[np.float64]


def metrics_for(labels: Sequence[str], problem_type: str) -> Mapping[str, Metric]:
    """Return the metrics of a problem type."""
    if problem_type == REGRESSION:
        return NUMBER_METRICS
    return SET_METRICS if problem_type == MULTI_LABEL else class_metrics(len(labels))


def label_metrics(labels: Sequence[str], problem_type: str, logits: Logits, targets: Targets) -> dict[str, Measurement]:
    """Return the metrics of a model's logits: [texts, labels], labels in any order."""
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
    """Return the metrics of answers: values, bool of [texts, labels], or class numbers."""
    sides: list[Array] = [targets, answers]
    if problem_type == MULTI_LABEL:
        columns = [list(labels).index(label) for label in sort_labels(labels)]
        sides = [side[:, columns] for side in sides]
    elif problem_type != REGRESSION:
        # The metrics number classes in sorted order; the model's order may differ.
        order = {label: place for place, label in enumerate(sort_labels(labels))}
        places = np.array([order[label] for label in labels])
        sides = [places[side.astype(np.int64)] for side in sides]
    return {name: metric.measure(*sides) for name, metric in metrics_for(labels, problem_type).items()}


def constant_answer(problem_type: str, train: Targets, targets: Targets) -> Array:
    """Return the answers of the baseline: the most frequent class, the labels of more than half of the texts, or the
    mean.
    """
    if problem_type == REGRESSION:
        return np.full_like(targets, train.mean())
    if problem_type == MULTI_LABEL:
        return np.broadcast_to(train.mean(axis=0) > 0.5, targets.shape)
    values, counts = np.unique(train, return_counts=True)
    return np.full_like(targets, values[counts.argmax()])

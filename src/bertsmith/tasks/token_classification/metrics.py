"""The metrics of tags: F1 of entities as in conlleval, accuracy of words, and counts per label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from bertsmith.metrics import entities
from bertsmith.metrics.entities import LabelCounts, parse_tag
from bertsmith.metrics.measurements import SumMeasurement
from bertsmith.tasks.values import ConfusionCounts, count_confusions

Tags = Sequence[Sequence[str]]


def tag_metrics(labelled: Tags, predicted: Tags, *, plain: bool) -> dict[str, SumMeasurement]:
    """Return `f1`, `precision`, `recall` of entities and `accuracy` of words; for plain labels only `accuracy`."""
    word_metrics = {"accuracy": entities.token_accuracy(labelled, predicted)}
    if plain:
        return word_metrics
    found = entities.measure(entities.count(labelled, predicted))
    return {"f1": found["f1"]} | found | word_metrics


def word_confusion_counts(labelled: Tags, predicted: Tags, labels: Sequence[str]) -> ConfusionCounts:
    """Count the plain labels of words."""
    return count_confusions(labels, _pairs(labelled, predicted), "words")


def entity_confusion_counts(labelled: Tags, predicted: Tags, types: Iterable[str]) -> ConfusionCounts:
    """Count the entities of each type; the pairs count words by the type of their entity."""
    sums = {type_: np.zeros(3, dtype=np.int64) for type_ in sorted(types)}
    for sentence in entities.count(labelled, predicted):
        for type_, counts in sentence.items():
            sums[type_] += counts
    type_tags = ([[_type(tag) for tag in tags] for tags in side] for side in (labelled, predicted))
    pairs = _pairs(*type_tags)
    return ConfusionCounts({type_: LabelCounts(*map(int, each)) for type_, each in sums.items()}, pairs, "words")


def _pairs(labelled: Tags, predicted: Tags) -> Counter[tuple[str, str]]:
    return Counter(
        pair for tags, predicted in zip(labelled, predicted, strict=True) for pair in zip(tags, predicted, strict=True)
    )


def _type(tag: str) -> str:
    """Return the entity type of a word's tag, or O."""
    prefix, type_ = parse_tag(tag) or ("O", "")
    return type_ or prefix

"""The metrics of tags: F1 of entities as conlleval reads them, accuracy of words; and the counts of each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from bertsmith.metrics import entities
from bertsmith.metrics.entities import Counts, parse_tag
from bertsmith.metrics.measurements import SumMeasurement
from bertsmith.tasks.values import ConfusionCounts, count_confusions

Tags = Sequence[Sequence[str]]


def measured(true: Tags, predicted: Tags, *, plain: bool) -> dict[str, SumMeasurement]:
    """`f1`, `precision`, `recall` of entities and `accuracy` of words; of plain labels only `accuracy`."""
    of_words = {"accuracy": entities.token_accuracy(true, predicted)}
    if plain:
        return of_words
    found = entities.measure(entities.count(true, predicted))
    return {"f1": found["f1"]} | found | of_words


def word_confusion_counts(true: Tags, predicted: Tags, labels: Sequence[str]) -> ConfusionCounts:
    """The plain labels of words."""
    return count_confusions(labels, _pairs(true, predicted), "words")


def entity_confusion_counts(true: Tags, predicted: Tags, types: Iterable[str]) -> ConfusionCounts:
    """The entities of each type; the pairs are of words, by the types of their entities."""
    sums = {type_: np.zeros(3, dtype=np.int64) for type_ in sorted(types)}
    for sentence in entities.count(true, predicted):
        for type_, counts in sentence.items():
            sums[type_] += counts
    types_of = ([[_type(tag) for tag in tags] for tags in side] for side in (true, predicted))
    pairs = _pairs(*types_of)
    return ConfusionCounts({type_: Counts(*map(int, each)) for type_, each in sums.items()}, pairs, "words")


def _pairs(true: Tags, predicted: Tags) -> Counter[tuple[str, str]]:
    return Counter(pair for tags, said in zip(true, predicted, strict=True) for pair in zip(tags, said, strict=True))


def _type(tag: str) -> str:
    """The type of the entity of a word, or O."""
    prefix, type_ = parse_tag(tag) or ("O", "")
    return type_ or prefix

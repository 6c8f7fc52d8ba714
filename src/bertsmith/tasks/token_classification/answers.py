"""The answers of a model for the words of sentences: tags, and spans with probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bertsmith.metrics import entities
from bertsmith.metrics.entities import Entity
from bertsmith.metrics.probabilities import softmax
from bertsmith.tasks.values import Ints, Logits


@dataclass(frozen=True)
class Tagged:
    """The answers for some sentences.

    Attributes:
        logits: float32 of [words, labels] per sentence.
    """

    logits: list[Logits]

    @cached_property
    def numbers(self) -> list[Ints]:
        """The label numbers: int64 of [words] per sentence."""
        return [each.argmax(axis=1) for each in self.logits]

    def probabilities(self, temperature: float) -> list[Logits]:
        """Return the probabilities of these labels: float32 of [words] per sentence."""
        return [softmax(each, temperature).max(axis=-1) for each in self.logits]


@dataclass(frozen=True)
class Span:
    """Words `start` to `end` (exclusive) with a label; `score` is the mean probability of their tags."""

    label: str
    start: int
    end: int
    score: float


def tagged_spans(tagged: Tagged, labels: Sequence[str], temperature: float, *, plain: bool) -> list[list[Span]]:
    """Return the entities of each sentence; with plain labels, every word."""
    return [
        [
            Span(type_, start, end, float(probabilities[start:end].mean()))
            for type_, start, end in entities_from_tags([labels[number] for number in numbers], plain=plain)
        ]
        for numbers, probabilities in zip(tagged.numbers, tagged.probabilities(temperature), strict=True)
    ]


def entities_from_tags(tags: list[str], *, plain: bool) -> list[Entity]:
    """Return the entities of a sentence from its tags; with plain labels, every word."""
    if plain:
        return [Entity(tag, place, place + 1) for place, tag in enumerate(tags)]
    return entities.entities(tags)

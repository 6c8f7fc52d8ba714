"""The labels of words: the labels that a model learns from a training file, and the targets of any file.

Whatever the scheme of a file, a model learns entities as BIO, with B and I labels for every type even if the training
file has only one of them. Plain labels are unchanged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.errors import DataError
from bertsmith.metrics import entities
from bertsmith.metrics.entities import Scheme, parse_tag
from bertsmith.tasks.files.label_checks import find_similar_name, spelling_advice
from bertsmith.tasks.token_classification.conll_file import Sentence
from bertsmith.tasks.token_classification.tag_kinds import LabelsAre, advice_on_numbers
from bertsmith.tasks.values import IGNORED, Ints


@dataclass(frozen=True)
class Targets:
    """The labels of some sentences.

    Attributes:
        tags: the tag of each word, as in the file.
        scheme: the scheme of these tags; None for plain labels.
        numbers: label numbers, int64 of [words] per sentence; IGNORED if the model does not have the label.
    """

    tags: list[list[str]]
    scheme: Scheme | None
    numbers: list[Ints]

    def __len__(self) -> int:
        return len(self.tags)

    def select(self, chosen: Ints) -> Targets:
        """Return the targets of some sentences, with the scheme of all."""
        tags, numbers = [self.tags[number] for number in chosen], [self.numbers[number] for number in chosen]
        return Targets(tags, self.scheme, numbers)


def labels_to_learn(sentences: Sequence[Sentence], labels_are: LabelsAre) -> list[str]:
    """Return O, then B and I of each type; or the plain labels, sorted. Raises DataError for fewer than two."""
    labels = sorted({tag for sentence in sentences for tag in sentence.tags})
    if labels_are == "plain":
        if len(labels) < 2:
            raise DataError(f"the training file has only one tag, {labels[0]!r}; expected at least two")
        return labels
    found = {tag for sentence in sentences for tag in to_bio(sentence.tags)} - {"O"}
    if not found:
        raise DataError("the training file has no entity: every tag is O. Is it the right column?")
    return ["O", *sorted({f"{prefix}{tag[1:]}" for tag in found for prefix in "BI"})]


def to_bio(tags: Sequence[str]) -> list[str]:
    """Convert tags of any scheme to BIO, with the same entities."""
    return entities.tags_from_entities(entities.entities(tags), len(tags), "BIO")


def check_known(
    sentences: Sequence[Sentence], where: str, known: Sequence[str], *, types: Collection[str] | None
) -> None:
    """Raise DataError for a tag that is not among a model's plain labels (`known`) or entity types (`types`)."""
    for sentence in sentences:
        for tag, line in zip(sentence.tags, sentence.lines, strict=True):
            if not _is_known(tag, known, types):
                shown = known if types is None else ["O", *sorted(types)]
                candidates = known if types is None else [f"{tag[:2]}{name}" for name in sorted(types)]
                near = find_similar_name(tag, candidates)
                advice = ". Try: remove it, or train on a file that has it"
                raise DataError(
                    f"{where}: {sentence.unit} {line}: found the tag {tag!r}, expected a tag of the model "
                    f"({', '.join(shown[:20])}){advice if near is None else spelling_advice(tag, near)}"
                    f"{advice_on_numbers(tag)}"
                )


def _is_known(tag: str, known: Sequence[str], types: Collection[str] | None) -> bool:
    if types is None:
        return tag in known
    parsed = parse_tag(tag)
    return parsed is not None and (parsed[0] == "O" or parsed[1] in types)


def encode_tags(sentences: Sequence[Sentence], labels: Sequence[str], *, plain: bool) -> Targets:
    """Encode the tags of sentences; the model must have all plain labels or entity types."""
    number = {label: place for place, label in enumerate(labels)}
    tags = [sentence.tags for sentence in sentences]
    label_tags = tags if plain else [to_bio(each) for each in tags]
    numbers = [np.array([number.get(tag, IGNORED) for tag in each], dtype=np.int64) for each in label_tags]
    return Targets(tags, None if plain else entities.recognise(tags), numbers)


def first_tags(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the counts of labels to compare; of entity tags, only the first tag of each type."""
    if "O" in counts and all(parse_tag(label) is not None for label in counts):
        return {label: count for label, count in counts.items() if label.startswith("B-")}
    return counts

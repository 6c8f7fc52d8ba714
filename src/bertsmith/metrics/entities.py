"""Entities of tag sequences, and their precision, recall and F1: exact in span and type, micro-averaged.

Tags that violate their scheme can be read in two ways:

- `Reading` "lenient", as in conlleval (Tjong Kim Sang and Buchholz 2000) and seqeval's default: every run of tags is an
  entity. An entity begins with B or S, after E or S, and wherever the type changes; so an I without a B begins an
  entity.
- a scheme by name, as in seqeval's `mode="strict"`: an entity counts only if its tags follow the scheme. BIO (IOB2):
  B I*. BIOES: S, or B I* E. IOB1: I+, and B I* only directly after an entity of the same type.

For valid tags both readings agree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import numpy as np

from bertsmith.metrics.measurements import Floats, SumMeasurement, ratio
from bertsmith.metrics.resampling import Interval, intervals

Scheme = Literal["BIO", "BIOES", "IOB1"]
Reading = Literal["lenient", "BIO", "BIOES", "IOB1"]
UNTYPED = "_"
"""The type of a tag without one (B, I)."""
_SPELLINGS = {"BILOU": {"L": "E", "U": "S"}, "BMES": {"M": "I"}, "BMEWO": {"M": "I", "W": "S"}}
"""Schemes that are BIOES with different letters: their letters, and the letters of BIOES."""
_LETTERS = {"BILOU": "BILU", "BMES": "BMES", "BMEWO": "BMEW"}
_SEPARATORS = r"[-_:./|+~\u2010-\u2015]"
_BEFORE = re.compile(rf"([BIESLUMW])({_SEPARATORS})(.+)", re.IGNORECASE)
_BEHIND = re.compile(rf"(.+)({_SEPARATORS})([BIESLUMW])")


class Entity(NamedTuple):
    """The type of an entity and its tokens: `start` and `end` count tokens from 0, `end` is exclusive."""

    type: str
    start: int
    end: int


class LabelCounts(NamedTuple):
    """How often a label (or entity type) is correct, predicted, and in the labels."""

    correct: int
    predicted: int
    labelled: int


def parse_tag(tag: str) -> tuple[str, str] | None:
    """Parse an entity tag: `B-PER` is ("B", "PER"), `O` is ("O", ""), `B` is ("B", "_"); None for any other text."""
    if tag == "O":
        return "O", ""
    if tag[:1] not in ("B", "I", "E", "S") or tag[1:2] not in ("", "-"):
        return None
    return tag[0], tag[2:] or UNTYPED


def are_plain(tags: Collection[str]) -> bool:
    """Return whether tags are plain labels, such as parts of speech.

    They are if `parse_tag` does not accept some tag, and no tag is O or begins with a prefix and a hyphen.
    """
    if all(parse_tag(tag) is not None for tag in tags):
        return False
    return not any(tag == "O" or (tag[:1] in ("B", "I", "E", "S") and tag[1:2] == "-") for tag in tags)


def convert_to_bioes(tags: Collection[str]) -> tuple[str, dict[str, str]] | None:
    """Return the scheme of tags in BILOU, BMES or BMEWO, and the BIOES form of each tag; None for other tags."""
    prefixes = {tag[0] if tag[1:2] in ("", "-") else tag for tag in tags if tag and tag != "O"}
    for scheme, letters in _SPELLINGS.items():
        if prefixes <= set(_LETTERS[scheme]) and prefixes & set(letters):
            return scheme, {tag: letters.get(tag[0], tag[0]) + tag[1:] if tag != "O" else tag for tag in tags}
    return None


def hyphenated(tag: str) -> str | None:
    """Return the standard spelling of a tag that looks like an entity tag: B-PER for `B_PER`, `PER-B` and `b-per`.

    None for any other tag, and for a tag in the standard spelling.
    """
    if tag == "o":
        return "O"
    before, behind = _BEFORE.fullmatch(tag), _BEHIND.fullmatch(tag)
    if before is not None:
        found = f"{before[1].upper()}-{before[3].upper() if tag.islower() else before[3]}"
    elif behind is not None:
        found = f"{behind[3]}-{behind[1]}"
    else:
        return None
    return None if found == tag else found


def entities(tags: Sequence[str], reading: Reading = "lenient") -> list[Entity]:
    """Return the entities of a sentence in order. `parse_tag` must accept the tags."""
    found: list[Entity] = []
    start: int | None = None
    before, type_before = "O", ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, type_ = parse_tag(tag) or ("O", "")
        same = type_ == type_before
        if start is not None:
            if same and _continues(before, prefix, reading):
                before = prefix
                continue
            if _is_whole(before, prefix, same, reading):
                found.append(Entity(type_before, start, place))
        start = place if _begins(before, prefix, same, reading) else None
        before, type_before = prefix, type_
    return found


def _continues(before: str, prefix: str, reading: Reading) -> bool:
    """Return whether a tag continues the entity of the tag before, which has the same type."""
    if reading in ("BIO", "IOB1"):
        return prefix == "I"
    return before in "BI" and prefix in "IE"


def _begins(before: str, prefix: str, same: bool, reading: Reading) -> bool:
    """Return whether a tag that does not continue an entity begins an entity."""
    if reading == "lenient":
        return prefix != "O"
    if reading == "IOB1":
        return prefix == "I" or (prefix == "B" and before in "BI" and same)
    return prefix == "B" or (prefix == "S" and reading == "BIOES")


def _is_whole(last: str, following: str, same: bool, reading: Reading) -> bool:
    """Return whether an entity may end with the tag `last` before the tag `following`.

    In IOB1, seqeval drops a single B before a B of a different type, which the scheme does not allow.
    """
    if reading == "BIOES":
        return last in "ES"
    if reading == "IOB1":
        return not (last == following == "B" and not same)
    return True


def recognise(sentences: Sequence[Sequence[str]]) -> Scheme:
    """Detect the scheme of valid tags: BIOES if there is an E or S, else BIO or IOB1.

    IOB1 has an I, and each B is directly after an entity of the same type. Tags without entities are BIO.
    """
    tags = {tag[0] for sentence in sentences for tag in sentence}
    if tags & {"E", "S"}:
        return "BIOES"
    if "I" not in tags:
        return "BIO"
    for sentence in sentences:
        for before, tag in zip(["O", *sentence], sentence, strict=False):
            if tag[0] == "B" and (before == "O" or before[1:] != tag[1:]):
                return "BIO"
    return "IOB1"


def tags_from_entities(found: Sequence[Entity], count: int, scheme: Scheme) -> list[str]:
    """Return the tags of a sentence of `count` tokens with these entities, sorted and not overlapping."""
    tags, before = ["O"] * count, Entity("", -1, -1)
    for entity in found:
        type_, start, end = entity
        suffix = "" if type_ == UNTYPED else f"-{type_}"
        tags[start:end] = [f"I{suffix}"] * (end - start)
        if scheme != "IOB1" or (before.type, before.end) == (type_, start):
            tags[start] = f"B{suffix}"
        if scheme == "BIOES":
            tags[end - 1] = f"S{suffix}" if end - start == 1 else f"E{suffix}"
        before = entity
    return tags


def count(
    labelled: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], reading: Reading = "lenient"
) -> list[dict[str, LabelCounts]]:
    """Return for each sentence the counts of the types that occur in its labels or predictions."""
    counted = []
    for label_tags, predicted_tags in zip(labelled, predicted, strict=True):
        label_entities, predicted_entities = (set(entities(tags, reading)) for tags in (label_tags, predicted_tags))
        counted.append(
            {
                type_: LabelCounts(
                    sum(entity.type == type_ for entity in label_entities & predicted_entities),
                    sum(entity.type == type_ for entity in predicted_entities),
                    sum(entity.type == type_ for entity in label_entities),
                )
                for type_ in sorted({entity.type for entity in label_entities | predicted_entities})
            }
        )
    return counted


def figures(counted: Sequence[dict[str, LabelCounts]]) -> tuple[dict[str, Interval], dict[str, dict[str, Interval]]]:
    """Return the metrics of `measure` over all entities and per type, with bootstrap intervals over the sentences."""
    types = sorted({type_ for sentence in counted for type_ in sentence})
    measured = {
        (type_, name): measurement for type_ in (None, *types) for name, measurement in measure(counted, type_).items()
    }
    found: dict[str | None, dict[str, Interval]] = {}
    for (type_, name), figure in intervals(measured).items():
        found.setdefault(type_, {})[name] = figure
    return found[None], {type_: found[type_] for type_ in types}


def measure(counted: Sequence[dict[str, LabelCounts]], type_: str | None = None) -> dict[str, SumMeasurement]:
    """Return `precision`, `recall` and `f1` over all entities, or of one type, from sums over the sentences.

    All are from 0 to 1, and 0 if there are no predictions or no labels.
    """
    nothing = (0, 0, 0)
    if type_ is None:
        rows = [tuple(map(sum, zip(nothing, *sentence.values(), strict=True))) for sentence in counted]
    else:
        rows = [sentence.get(type_, nothing) for sentence in counted]
    table = np.array(rows, dtype=np.float64)
    return {name: SumMeasurement(table, figure) for name, figure in _FIGURES.items()}


def _precision(sums: Floats) -> Floats:
    correct, predicted, _ = sums.T
    return ratio(correct, predicted)


def _recall(sums: Floats) -> Floats:
    correct, _, labelled = sums.T
    return ratio(correct, labelled)


def _f1(sums: Floats) -> Floats:
    correct, predicted, labelled = sums.T
    return ratio(2 * correct, predicted + labelled)


_FIGURES = {"precision": _precision, "recall": _recall, "f1": _f1}
"""Metrics from the sums correct, predicted, labelled: float64 of [rows, 3] to [rows]."""


def token_accuracy(labelled: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> SumMeasurement:
    """Return the share of tokens with the correct tag, from sums over the sentences."""
    table = np.array(
        [
            (sum(a == b for a, b in zip(label_tags, predicted_tags, strict=True)), len(label_tags))
            for label_tags, predicted_tags in zip(labelled, predicted, strict=True)
        ],
        dtype=np.float64,
    )
    return SumMeasurement(table, lambda sums: sums[:, 0] / sums[:, 1])

"""Entities of tag sequences, and their precision, recall and F1: strict in span and type, micro-averaged.

Two readings of tags that do not follow their scheme:

- `Reading` "lenient", that of conlleval (Tjong Kim Sang and Buchholz 2000) and of seqeval by default: every run of tags
  is an entity. One begins with B or S, behind E or S, and wherever the type changes; so an I without a B begins one.
- a scheme by name, seqeval's `mode="strict"`: an entity counts only where its tags are those that the scheme asks for.
  BIO (IOB2): B I*. BIOES: S, or B I* E. IOB1: I+, and B I* only directly behind an entity of the same type.

Where all tags follow the scheme the two agree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.classification import Interval, interval, resampled_sums

Scheme = Literal["BIO", "BIOES", "IOB1"]
Reading = Literal["lenient", "BIO", "BIOES", "IOB1"]
UNTYPED = "_"
"""The type of a tag without one (B, I)."""


class Entity(NamedTuple):
    """A type and the tokens it stands on: `start` and `end` count tokens from 0, `end` is exclusive."""

    type: str
    start: int
    end: int


class Counts(NamedTuple):
    """Of one type, or of all: the entities that are right, predicted, and in the gold."""

    right: int
    predicted: int
    gold: int


def parse_tag(tag: str) -> tuple[str, str] | None:
    """`B-PER` is ("B", "PER"), `O` is ("O", ""), `B` is ("B", "_"); None for what is no tag."""
    if tag == "O":
        return "O", ""
    if tag[:1] not in ("B", "I", "E", "S") or tag[1:2] not in ("", "-"):
        return None
    return tag[0], tag[2:] or UNTYPED


def are_plain(tags: Collection[str]) -> bool:
    """Whether tags are plain labels, such as parts of speech: some `parse_tag` does not know, none is O or begins with
    a prefix and a hyphen.
    """
    if all(parse_tag(tag) is not None for tag in tags):
        return False
    return not any(tag == "O" or (tag[:1] in ("B", "I", "E", "S") and tag[1:2] == "-") for tag in tags)


def entities(tags: Sequence[str], reading: Reading = "lenient") -> list[Entity]:
    """The entities of one sentence, in order. `tags` are such that `parse_tag` knows."""
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
    """Whether a tag goes on with the entity that the tag before it, of the same type, is in."""
    if reading in ("BIO", "IOB1"):
        return prefix == "I"
    return before in "BI" and prefix in "IE"


def _begins(before: str, prefix: str, same: bool, reading: Reading) -> bool:
    """Whether a tag that goes on with nothing begins an entity."""
    if reading == "lenient":
        return prefix != "O"
    if reading == "IOB1":
        return prefix == "I" or (prefix == "B" and before in "BI" and same)
    return prefix == "B" or (prefix == "S" and reading == "BIOES")


def _is_whole(last: str, following: str, same: bool, reading: Reading) -> bool:
    """Whether an entity may end with the tag `last` before the tag `following`.

    In IOB1 seqeval drops a lone B whose neighbour is a B of another type, which that scheme forbids.
    """
    if reading == "BIOES":
        return last in "ES"
    if reading == "IOB1":
        return not (last == following == "B" and not same)
    return True


def recognise(sentences: Sequence[Sequence[str]]) -> Scheme:
    """The scheme of correct tags: BIOES with any E or S, else BIO or IOB1.

    IOB1 has an I, and each B, if there is one, directly behind its own type. Tags without entities are BIO.
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


def tags_of(found: Sequence[Entity], count: int, scheme: Scheme) -> list[str]:
    """The tags of a sentence of `count` tokens with these entities, in order and without overlap."""
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
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], reading: Reading = "lenient"
) -> list[dict[str, Counts]]:
    """For each sentence the counts of each type that occurs in it on either side."""
    counted = []
    for true_tags, predicted_tags in zip(gold, predicted, strict=True):
        true, guessed = set(entities(true_tags, reading)), set(entities(predicted_tags, reading))
        counted.append(
            {
                type_: Counts(
                    sum(entity.type == type_ for entity in true & guessed),
                    sum(entity.type == type_ for entity in guessed),
                    sum(entity.type == type_ for entity in true),
                )
                for type_ in sorted({entity.type for entity in true | guessed})
            }
        )
    return counted


def figures(counted: Sequence[dict[str, Counts]]) -> tuple[dict[str, Interval], dict[str, dict[str, Interval]]]:
    """`precision`, `recall` and `f1` over all entities, and of each type, with bootstrap intervals over the sentences.

    All are from 0 to 1, and 0 where nothing was predicted or nothing is there to be found.
    """
    types = sorted({type_ for sentence in counted for type_ in sentence})
    column = {type_: 3 * number for number, type_ in enumerate(types, start=1)}
    table = np.zeros((len(counted), 3 * (len(types) + 1)))
    for row, sentence in enumerate(counted):
        for type_, counts in sentence.items():
            table[row, column[type_] : column[type_] + 3] = counts
            table[row, :3] += counts
    sums, resampled = table.sum(axis=0), resampled_sums(table)
    found = [_figures(sums[at : at + 3], resampled[:, at : at + 3]) for at in range(0, table.shape[1], 3)]
    return found[0], dict(zip(types, found[1:], strict=True))


def _figures(sums: npt.NDArray[np.float64], resampled: npt.NDArray[np.float64]) -> dict[str, Interval]:
    values, over = _ratios(sums[None]), _ratios(resampled)
    return {name: interval(float(value[0]), over[name]) for name, value in values.items()}


def _ratios(sums: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """Precision, recall and F1, each of [rows], of the sums right, predicted, gold: [rows, 3]."""
    right, predicted, gold = sums.T
    return {
        "precision": right / np.maximum(predicted, 1),
        "recall": right / np.maximum(gold, 1),
        "f1": 2 * right / np.maximum(predicted + gold, 1),
    }


def totals(counted: Sequence[dict[str, Counts]]) -> dict[str, float]:
    """`precision`, `recall` and `f1` over all entities, without intervals."""
    rows = [counts for sentence in counted for counts in sentence.values()]
    sums = np.array(rows, dtype=np.float64).reshape(-1, 3).sum(axis=0)
    return {name: float(value[0]) for name, value in _ratios(sums[None]).items()}


def token_accuracy(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Interval:
    """The share of tokens whose tag is right, with its bootstrap interval over the sentences."""
    table = np.array(
        [
            (sum(a == b for a, b in zip(true, guessed, strict=True)), len(true))
            for true, guessed in zip(gold, predicted, strict=True)
        ],
        dtype=np.float64,
    )
    sums, resampled = table.sum(axis=0), resampled_sums(table)
    return interval(float(sums[0] / sums[1]), resampled[:, 0] / resampled[:, 1])

"""Entities of tag sequences, and their precision, recall and F1: strict in span and type, micro-averaged.

Two readings of tags that do not follow their scheme:

- `Reading` "lenient", that of conlleval (Tjong Kim Sang and Buchholz 2000) and of seqeval by default: every run of tags
  is an entity. One begins with B or S, behind E or S, and wherever the type changes; so an I without a B begins one.
- a scheme by name, seqeval's `mode="strict"`: an entity counts only where its tags are those that the scheme asks for.
  BIO (IOB2): B I*. BIOES: S, or B I* E. IOB1: I+, and B I* only directly behind an entity of the same type.

Where all tags follow the scheme the two agree.
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
"""Schemes that are BIOES with other letters: the letters that differ, and the ones of BIOES."""
_LETTERS = {"BILOU": "BILU", "BMES": "BMES", "BMEWO": "BMEW"}
_SEPARATORS = r"[-_:./|+~\u2010-\u2015]"
_BEFORE = re.compile(rf"([BIESLUMW])({_SEPARATORS})(.+)", re.IGNORECASE)
_BEHIND = re.compile(rf"(.+)({_SEPARATORS})([BIESLUMW])")


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


def bioes_of(tags: Collection[str]) -> tuple[str, dict[str, str]] | None:
    """The scheme of tags that are BIOES with other letters (BILOU, BMES, BMEWO), and each tag in BIOES; else None."""
    prefixes = {tag[0] if tag[1:2] in ("", "-") else tag for tag in tags if tag and tag != "O"}
    for scheme, letters in _SPELLINGS.items():
        if prefixes <= set(_LETTERS[scheme]) and prefixes & set(letters):
            return scheme, {tag: letters.get(tag[0], tag[0]) + tag[1:] if tag != "O" else tag for tag in tags}
    return None


def hyphenated(tag: str) -> str | None:
    """How a tag that may be an entity's in another spelling is written here: `B_PER`, `PER-B` and `b-per` are B-PER.

    None for any other tag, and for one that is written that way already.
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
    """What `measure` says over all entities, and of each type, with bootstrap intervals over the sentences."""
    types = sorted({type_ for sentence in counted for type_ in sentence})
    measured = {
        (type_, name): measurement for type_ in (None, *types) for name, measurement in measure(counted, type_).items()
    }
    found: dict[str | None, dict[str, Interval]] = {}
    for (type_, name), figure in intervals(measured).items():
        found.setdefault(type_, {})[name] = figure
    return found[None], {type_: found[type_] for type_ in types}


def measure(counted: Sequence[dict[str, Counts]], type_: str | None = None) -> dict[str, SumMeasurement]:
    """`precision`, `recall` and `f1` over all entities, or of one type, of sums over the sentences.

    All are from 0 to 1, and 0 where nothing was predicted or nothing is there to be found.
    """
    nothing = (0, 0, 0)
    if type_ is None:
        rows = [tuple(map(sum, zip(nothing, *sentence.values(), strict=True))) for sentence in counted]
    else:
        rows = [sentence.get(type_, nothing) for sentence in counted]
    table = np.array(rows, dtype=np.float64)
    return {name: SumMeasurement(table, figure) for name, figure in _FIGURES.items()}


def _precision(sums: Floats) -> Floats:
    right, predicted, _ = sums.T
    return ratio(right, predicted)


def _recall(sums: Floats) -> Floats:
    right, _, gold = sums.T
    return ratio(right, gold)


def _f1(sums: Floats) -> Floats:
    right, predicted, gold = sums.T
    return ratio(2 * right, predicted + gold)


_FIGURES = {"precision": _precision, "recall": _recall, "f1": _f1}
"""Each of the sums right, predicted, gold: float64 of [rows, 3] to [rows]."""


def token_accuracy(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> SumMeasurement:
    """The share of tokens whose tag is right, of sums over the sentences."""
    table = np.array(
        [
            (sum(a == b for a, b in zip(true, guessed, strict=True)), len(true))
            for true, guessed in zip(gold, predicted, strict=True)
        ],
        dtype=np.float64,
    )
    return SumMeasurement(table, lambda sums: sums[:, 0] / sums[:, 1])

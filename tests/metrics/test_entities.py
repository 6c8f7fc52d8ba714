"""Entities compared with a state machine like conlleval, regular expressions, seqeval, and hand calculations."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from bertsmith.metrics.entities import (
    Entity,
    LabelCounts,
    Reading,
    Scheme,
    count,
    entities,
    figures,
    parse_tag,
    recognise,
)
from bertsmith.metrics.entities import token_accuracy as accuracy_of_tokens
from bertsmith.metrics.resampling import intervals
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.token_classification.tagged_file import read_tagged

PREFIXES: dict[Scheme, str] = {"BIO": "BI", "BIOES": "BIES", "IOB1": "BI"}


def random_tags(scheme: Scheme, seed: int) -> list[str]:
    """Random tags of two types, valid and invalid."""
    draw = random.Random(seed)
    tags = ["O", "O", *(f"{prefix}-{type_}" for prefix in PREFIXES[scheme] for type_ in "XY")]
    return draw.choices(tags, k=draw.randint(0, 12))


# Behind which tag an entity ends, and with which one begins, for tags of one type (after conlleval 2000-2004).
ENDS = {"BB", "BS", "BO", "IB", "IS", "IO"} | {a + b for a in "ES" for b in "BIESO"}
BEGINS = {a + b for a in "OBIES" for b in "BS"} | {a + b for a in "OES" for b in "IE"}


def conlleval(tags: list[str]) -> list[tuple[str, int, int]]:
    """A state machine over pairs of neighbouring tags; the end of a sentence is O."""
    found, began, before, type_before = [], 0, "O", ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, type_ = tag.partition("-")
        pair = before + prefix
        if pair in ENDS or (before != "O" and type_ != type_before):
            found.append((type_before, began, place))
        if pair in BEGINS or (prefix != "O" and type_ != type_before):
            began = place
        before, type_before = prefix, type_
    return found


WHOLE: dict[Reading, str] = {
    "BIO": "B-T (?:I-T )*",
    "BIOES": "S-T |B-T (?:I-T )*E-T ",
    # Behind its own type a B may begin an entity; alone it is none where a B of another type follows.
    "IOB1": "(?<=[BI]-T )B-T (?:(?:I-T )+|(?!B-[^T]))|(?:I-T )+",
}
"""What seqeval's strict mode takes for an entity of the type T, in tags that are each followed by a blank."""


def by_expression(tags: list[str], reading: Reading) -> list[tuple[str, int, int]]:
    text, found = "".join(f"{tag} " for tag in tags), []
    for type_ in "XY":
        for match in re.finditer(rf"(?<!\S)(?:{WHOLE[reading].replace('T', type_)})", text):
            found.append((type_, text[: match.start()].count(" "), text[: match.end()].count(" ")))
    return sorted(found, key=lambda entity: entity[1])


@pytest.mark.parametrize("scheme", PREFIXES)
def test_the_lenient_reading_is_conlleval_s(scheme: Scheme) -> None:
    for seed in range(1000):
        tags = random_tags(scheme, seed)
        assert [tuple(entity) for entity in entities(tags)] == conlleval(tags), tags


@pytest.mark.parametrize("scheme", PREFIXES)
def test_the_strict_reading_is_that_of_the_scheme(scheme: Scheme) -> None:
    differ = 0
    for seed in range(1000):
        tags = random_tags(scheme, seed)
        assert [tuple(entity) for entity in entities(tags, scheme)] == by_expression(tags, scheme), tags
        differ += entities(tags, scheme) != entities(tags)
    assert differ > 100, "the two readings differ in tags that are thrown together"


@pytest.mark.parametrize("scheme", PREFIXES)
def test_both_readings_are_seqeval_s(scheme: Scheme) -> None:
    sequence_labeling = pytest.importorskip("seqeval.metrics.sequence_labeling")
    schemes = pytest.importorskip("seqeval.scheme")
    strict = {"BIO": schemes.IOB2, "BIOES": schemes.IOBES, "IOB1": schemes.IOB1}[scheme]
    for seed in range(1000):
        tags = random_tags(scheme, seed)
        theirs = [(type_, first, last + 1) for type_, first, last in sequence_labeling.get_entities(tags)]
        assert [tuple(entity) for entity in entities(tags)] == theirs
        (whole,) = schemes.Entities([tags], strict).entities
        assert [tuple(entity) for entity in entities(tags, scheme)] == [entity.to_tuple()[1:] for entity in whole]


def noisy(gold: list[list[str]], share: float) -> list[list[str]]:
    """The tags with a share of them replaced at random, so that many violate the scheme."""
    draw, kinds = random.Random(0), sorted({tag for tags in gold for tag in tags})
    return [[draw.choice(kinds) if draw.random() < share else tag for tag in tags] for tags in gold]


def same_as_seqeval(gold: list[list[str]], predicted: list[list[str]]) -> None:
    theirs = pytest.importorskip("seqeval.metrics")
    found, _ = figures(count(gold, predicted))
    for name in ("precision", "recall", "f1"):
        assert found[name].value == pytest.approx(getattr(theirs, f"{name}_score")(gold, predicted), abs=1e-12)
    assert 0 < found["f1"].value < 1


@pytest.mark.parametrize("scheme", PREFIXES)
def test_figures_are_seqeval_s(scheme: Scheme) -> None:
    gold = [random_tags(scheme, seed) for seed in range(1000)]
    same_as_seqeval(gold, noisy(gold, 0.3))


def test_figures_of_real_tags_are_seqeval_s(shared_data: Path) -> None:
    """WNUT-17 with noise of several strengths."""
    sentences = read_tagged(shared_data / "ner" / "wnut17" / "emerging.test.annotated", Columns())
    gold = [sentence.tags for sentence in sentences]
    for share in (0.01, 0.15):
        same_as_seqeval(gold, noisy(gold, share))


def written(spans: list[tuple[str, int]], scheme: Scheme) -> list[str]:
    """Valid tags for spans of (type, length); type O is not an entity."""
    tags: list[str] = []
    for type_, length in spans:
        if type_ == "O":
            tags += ["O"] * length
        elif scheme == "BIOES":
            inner = [f"I-{type_}"] * (length - 2)
            tags += [f"S-{type_}"] if length == 1 else [f"B-{type_}", *inner, f"E-{type_}"]
        else:
            begin = scheme == "BIO" or (bool(tags) and tags[-1][2:] == type_)
            tags += ["B-" * begin + "I-" * (not begin) + type_, *[f"I-{type_}"] * (length - 1)]
    return tags


@pytest.mark.parametrize("scheme", PREFIXES)
def test_correct_tags_give_their_spans_back_in_every_reading(scheme: Scheme) -> None:
    recognised = 0
    for seed in range(200):
        draw = random.Random(seed)
        spans = [(draw.choice("OXY"), draw.randint(1, 3)) for _ in range(6)]
        tags, expected, at = written(spans, scheme), [], 0
        for type_, length in spans:
            expected += [Entity(type_, at, at + length)] if type_ != "O" else []
            at += length
        assert entities(tags) == entities(tags, scheme) == expected
        if expected and any(tag[0] in "IE" for tag in tags):
            assert recognise([tags]) == scheme
            recognised += 1
    assert recognised > 100


def test_by_hand() -> None:
    """An I after an O, a change of type inside, two adjacent entities of one type, an entity at the end."""
    tags = ["I-PER", "I-PER", "O", "B-LOC", "I-ORG", "B-ORG"]
    assert entities(tags) == [("PER", 0, 2), ("LOC", 3, 4), ("ORG", 4, 5), ("ORG", 5, 6)]
    assert entities(tags, "BIO") == [("LOC", 3, 4), ("ORG", 5, 6)]
    assert entities(tags, "IOB1") == [("PER", 0, 2), ("ORG", 4, 5), ("ORG", 5, 6)]
    tags = ["B-PER", "E-PER", "E-PER", "S-LOC", "B-LOC", "I-LOC"]
    assert entities(tags) == [("PER", 0, 2), ("PER", 2, 3), ("LOC", 3, 4), ("LOC", 4, 6)]
    assert entities(tags, "BIOES") == [("PER", 0, 2), ("LOC", 3, 4)]
    assert entities([]) == entities(["O"]) == []
    assert entities(["B", "I", "O", "I"]) == [("_", 0, 2), ("_", 3, 4)]


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("O", ("O", "")),
        ("B-creative-work", ("B", "creative-work")),
        ("I", ("I", "_")),
        ("PER", None),
        ("B_PER", None),
        ("", None),
        ("o", None),
        ("U-PER", None),
    ],
)
def test_tags(tag: str, parts: tuple[str, str] | None) -> None:
    assert parse_tag(tag) == parts


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["B-X", "I-X", "O"], "BIO"),
        (["O", "B-X", "B-Y"], "BIO"),
        (["I-X", "I-X", "B-X", "O"], "IOB1"),
        (["I-X", "O"], "IOB1"),
        (["B-X", "O", "I-X"], "BIO"),
        (["S-X"], "BIOES"),
        (["B-X", "E-X"], "BIOES"),
        (["O"], "BIO"),
    ],
)
def test_a_scheme_is_recognised(tags: list[str], scheme: Scheme) -> None:
    assert recognise([["O"], tags]) == scheme


def test_figures_by_hand() -> None:
    """Labels: 2 PER, 1 LOC; predictions: 1 correct PER, 1 PER with a wrong end, 1 ORG instead of LOC."""
    gold = [["B-PER", "I-PER", "O"], ["B-PER", "I-PER", "B-LOC"], ["O"]]
    predicted = [["B-PER", "I-PER", "O"], ["B-PER", "O", "B-ORG"], ["O"]]
    counted = count(gold, predicted)
    assert counted == [
        {"PER": LabelCounts(1, 1, 1)},
        {"LOC": LabelCounts(0, 0, 1), "ORG": LabelCounts(0, 1, 0), "PER": LabelCounts(0, 1, 1)},
        {},
    ]
    overall, by_type = figures(counted)
    assert {name: figure.value for name, figure in overall.items()} == pytest.approx(
        {"precision": 1 / 3, "recall": 1 / 3, "f1": 1 / 3}
    )
    assert by_type["PER"]["f1"].value == by_type["PER"]["precision"].value == 0.5
    assert by_type["LOC"]["recall"].value == by_type["ORG"]["precision"].value == by_type["ORG"]["f1"].value == 0
    assert accuracy_of_tokens(gold, predicted).value == pytest.approx(5 / 7)


def test_precision_and_recall_are_not_swapped() -> None:
    """Three entities in the labels, one predicted, and correct."""
    overall, _ = figures(count([["B-X", "B-X", "B-X"]], [["B-X", "O", "O"]]))
    assert {name: figure.value for name, figure in overall.items()} == pytest.approx(
        {"precision": 1, "recall": 1 / 3, "f1": 0.5}
    )


def test_without_entities_all_is_0() -> None:
    overall, by_type = figures(count([["O"], ["O", "O"]], [["O"], ["O", "O"]]))
    assert {figure.value for figure in overall.values()} == {0}
    assert by_type == {}


def test_intervals_are_over_the_sentences() -> None:
    """400 sentences of which 300 are wholly right: recall is the share of right sentences, with its spread.

    Ten entities a sentence make it no narrower: they are right or wrong together.
    """
    correct, wrong = ["B-X"] * 10, ["O"] * 10
    recall = figures(count([correct] * 400, [correct] * 300 + [wrong] * 100))[0]["recall"]
    assert recall.value == 0.75
    assert recall.high - recall.low == pytest.approx(2 * 1.96 * (0.75 * 0.25 / 400) ** 0.5, rel=0.15)
    of_tokens = accuracy_of_tokens([correct] * 400, [correct] * 300 + [wrong] * 100)
    accuracy = intervals({"accuracy": of_tokens})["accuracy"]
    assert (accuracy.low, accuracy.value, accuracy.high) == (recall.low, recall.value, recall.high)

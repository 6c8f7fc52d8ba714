"""One rule for the offsets of a file: answers are located correctly or not at all, however a tool counts."""

from __future__ import annotations

import logging
import random
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.tasks.question_answering.answer_spans import PlacedAnswer, place_answers

Count = Callable[[str], int]
"""The offset that a tool gives to the place behind a text."""

TOOLS: dict[str, Count] = {
    "characters": len,
    "UTF-16 units": lambda text: len(text.encode("utf-16-le")) // 2,
    "bytes of UTF-8": lambda text: len(text.encode("utf-8")),
    "two for each line break": lambda text: len(text.replace("\n", "\r\n")),
    "counted from 1": lambda text: len(text) + 1,
    "3 too small": lambda text: len(text) - 3,
}
WORDS = ("ten", "ships", "Zoë", "ten", "naïve", "😀", "ten", "👩\u200d🔬", "sank", "पुणे", "a", "\n", "café")


def file_of(count: Count, *, answers: int = 40, seed: int = 0) -> tuple[list[PlacedAnswer], list[tuple[int, int]]]:
    """Answers in contexts of random words, offsets as a tool writes them, and spans; many occur repeatedly."""
    draw = random.Random(seed)
    found, spans = [], []
    for number in range(answers):
        words = [draw.choice(WORDS) for _ in range(30)]
        words[:3] = "😀", "é", "\n"
        chosen = draw.choice([place for place, word in enumerate(words) if word.strip() and place > 2])
        before = " ".join([*words[:chosen], ""])
        found.append(PlacedAnswer(" ".join(words), words[chosen], count(before), f"line {number + 1}"))
        spans.append((len(before), len(before) + len(words[chosen])))
    return found, spans


@pytest.fixture
def printed(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="bertsmith")
    return caplog


@pytest.mark.parametrize("tool", TOOLS)
def test_the_rule_of_a_file_is_recognised(printed: pytest.LogCaptureFixture, tool: str) -> None:
    answers, spans = file_of(TOOLS[tool])
    assert place_answers("a.json", answers) == spans
    if tool == "characters":
        assert not printed.text
    else:
        assert f"{tool}" in printed.text and "which fits 40 of 40 answers; as characters, " in printed.text


def test_line_breaks_that_count_as_one(printed: pytest.LogCaptureFixture) -> None:
    context = "one ten\r\ntwo ten\r\nthree ten ships"
    answers = [
        PlacedAnswer(context, text, len(context[:at].replace("\r\n", "\n")), "here")
        for at, text in ((4, "ten"), (13, "ten"), (24, "ten"), (28, "ships"))
    ]
    assert place_answers("a.json", answers) == [(4, 7), (13, 16), (24, 27), (28, 33)]
    assert "one for each line break" in printed.text


@given(st.integers(0, 1_000), st.sampled_from(["characters", "UTF-16 units", "bytes of UTF-8"]), st.integers(0, 2))
def test_a_few_wrong_offsets_change_no_other_answer(seed: int, tool: str, wrong: int) -> None:
    """An answer with a wrong offset is located by its text if the text occurs once, otherwise not at all."""
    answers, spans = file_of(TOOLS[tool], answers=60, seed=seed)
    for number in range(wrong):
        whole = answers[number]
        answers[number] = PlacedAnswer(whole.context, whole.text, 1_000_000 + seed, whole.place)
    found = place_answers("a.json", answers)
    assert found[wrong:] == spans[wrong:]
    for answer, place, span in zip(answers[:wrong], found, spans, strict=False):
        assert place == (span if answer.context.count(answer.text) == 1 else None)


def test_an_answer_that_another_rule_hits_too_follows_the_rule_of_the_file(printed: pytest.LogCaptureFixture) -> None:
    context = f"{'🎻' * 8} one, or one, two and three"
    by_units, first = TOOLS["UTF-16 units"], context.index("one")
    answers = [
        PlacedAnswer(context, text, by_units(context[: context.index(text)]), "here") for text in ("one", "three")
    ]
    assert context.startswith("one", answers[0].start), "the second one"
    assert [span and span[0] for span in place_answers("a.json", answers)] == [first, context.index("three")]
    assert "which fits 2 of 2 answers; as characters, 1 would fit" in printed.text


def test_a_file_of_two_rules_is_read_as_characters(printed: pytest.LogCaptureFixture) -> None:
    """A rule must locate 95% of the answers on which it differs from characters."""
    (by_units, _), (plain, spans) = file_of(TOOLS["UTF-16 units"]), file_of(len, seed=1)
    found = place_answers("a.json", by_units[:20] + plain)
    assert found[20:] == spans and "are read as" not in printed.text
    for answer, place in zip(by_units, found[:20], strict=False):
        assert place is None or answer.context.count(answer.text) == 1 or place[0] == answer.start
    assert "cannot locate " in printed.text


def test_offsets_that_are_placeholders_are_no_shift(printed: pytest.LogCaptureFixture) -> None:
    contexts = "The baker sold bread, and bread.", "A queen slept.", "Rain fell on the ten ships."
    for start in (0, -1):
        answers = [PlacedAnswer(*pair, start, "here") for pair in zip(contexts, ("bread", "queen", "ten"), strict=True)]
        assert place_answers("a.json", answers) == [None, (2, 7), (17, 20)]
    assert "are read as" not in printed.text
    assert "the offset is wrong for 2 of 3 answers, first here; they are located by their text" in printed.text


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_unicode_forms_and_white_space_of_an_answer(printed: pytest.LogCaptureFixture, form: str) -> None:
    context = unicodedata.normalize(form, "Zoë met José, and Zoë left the café.")
    answers, spans = [], []
    for text, behind, offset in (
        ("José", "", 0),
        ("café", " ", 0),
        ("Zoë", "", 0),
        (" café", "", -1),
        ("\tJosé\n", "", 0),
    ):
        word = unicodedata.normalize(form, text.strip())
        start = context.index(word)
        spans.append((start, start + len(word)))
        for other in ("NFC", "NFD"):
            answers.append(PlacedAnswer(context, unicodedata.normalize(other, text + behind), start + offset, "here"))
    expected = [span for span in spans for _ in range(2)]
    found = place_answers("a.json", answers)
    assert [span and unicodedata.normalize("NFC", context[slice(*span)]).strip() for span in found] == [
        unicodedata.normalize("NFC", context[slice(*span)]) for span in expected
    ]
    assert [span and span[1] for span in found] == [span[1] for span in expected]
    assert not printed.text


def test_numbers_beyond_any_context() -> None:
    for start in (10**30, -(10**30), 2**63):
        assert place_answers("a", [PlacedAnswer("ten, ten 😀", "ten", start, "here")]) == [None]
        assert place_answers("a", [PlacedAnswer("half \ud83d ten", "ten", start, "here")] * 2) == [(7, 10)] * 2

"""Locate the answers of a file in their contexts, with one rule of counting for all offsets of the file.

In SQuAD, an offset counts characters (code points). Tools written in JavaScript, Java or C# count UTF-16 units; others
count UTF-8 bytes or both characters of a line break, and some count from 1. A single answer rarely shows which rule is
correct, because short answers often occur again nearby. So the rule is chosen for the whole file, from the answers that
only one rule locates. An answer that this rule does not locate is located by its text if the text occurs exactly once
in the context; otherwise it has no span.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bertsmith.runtime.console import log_info, warn

AGREEMENT = 0.95
"""A rule other than characters must locate at least this share of the answers on which the two rules differ."""

Codes = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]
Span = tuple[int, int]
"""Start and end (exclusive) in characters of a context."""


@dataclass(frozen=True)
class PlacedAnswer:
    """An answer as in its file: context, text, offset (if any) and location in the file."""

    context: str
    text: str
    start: int | None
    place: str


@dataclass(frozen=True)
class OffsetRule:
    """A rule for counting offsets: the width of each code point, and the offset of the first code point."""

    words: str
    widths: Callable[[Codes], Ints] | None = None
    first: int = 0

    def position(self, answer: PlacedAnswer) -> int | None:
        """Return the index of the code point at the offset of an answer; None if there is none."""
        if answer.start is None:
            return None
        offset, context = answer.start - self.first, answer.context
        if self.widths is None:
            return offset if 0 <= offset < len(context) else None
        offsets = _offsets(self, context)
        if not 0 <= offset <= offsets[-1]:
            return None
        at = int(np.searchsorted(offsets, offset))
        return at if offsets[at] == offset else None


def _units(codes: Codes) -> Ints:
    return 1 + (codes > 0xFFFF).astype(np.int64)


def _bytes(codes: Codes) -> Ints:
    return np.searchsorted([0x7F, 0x7FF, 0xFFFF], codes) + 1


def _line_break_as_two(codes: Codes) -> Ints:
    lone_line_feeds: npt.NDArray[np.bool_] = (codes == ord("\n")) & (np.append(0, codes[:-1]) != ord("\r"))
    return 1 + lone_line_feeds.astype(np.int64)


def _line_break_as_one(codes: Codes) -> Ints:
    followed: npt.NDArray[np.bool_] = (codes == ord("\r")) & (np.append(codes[1:], 0) == ord("\n"))
    return 1 - followed.astype(np.int64)


CHARACTERS = OffsetRule("characters")
RULES = (
    OffsetRule("UTF-16 units (as JavaScript, Java and C# count)", _units),
    OffsetRule("bytes of UTF-8", _bytes),
    OffsetRule("characters, with two for each line break", _line_break_as_two),
    OffsetRule("characters, with one for each line break (CR LF)", _line_break_as_one),
)


@lru_cache(maxsize=16)  # questions of the same context are consecutive
def _offsets(rule: OffsetRule, context: str) -> Ints:
    """Return the offset of each code point by the rule, from 0: int64 of [code points]."""
    assert rule.widths is not None
    codes = np.frombuffer(context.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    widths = rule.widths(codes)
    return np.cumsum(widths) - widths


def place_answers(where: str, answers: Sequence[PlacedAnswer]) -> list[Span | None]:
    """Return the span of each answer of the file `where`; None for answers without a certain location.

    Prints the rule (unless it is characters), the number of answers located by their text, and the number not located.
    """
    spans = _locate_by_single_rule(where, answers)
    moved: list[str] = []
    several: list[str] = []
    missing: list[str] = []
    for number, answer in enumerate(answers):
        if spans[number] is not None:
            continue
        found = _occurrences(answer)
        if len(found) == 1:
            spans[number] = found[0]
            if answer.start is not None:
                moved.append(answer.place)
        else:
            (several if found else missing).append(answer.place)
    if moved:
        warn(
            f"{where}: the offset is wrong for {len(moved):,} of {len(answers):,} answers, first {moved[0]}; they are "
            "located by their text, which occurs once in the context"
        )
    if several or missing:
        warn(
            f"{where}: cannot locate {len(several) + len(missing):,} of {len(answers):,} answers in their contexts, "
            f"first {(several + missing)[0]}: the offset is wrong or missing, and the text occurs several times "
            f"({len(several):,}) or not at all ({len(missing):,})"
        )
    return spans


def _locate_by_single_rule(where: str, answers: Sequence[PlacedAnswer]) -> list[Span | None]:
    """Return the spans of the answers that one rule locates at their offsets; None for the other answers."""
    plain = [_at(answer, CHARACTERS.position(answer)) for answer in answers]
    voters = [
        number
        for number, answer in enumerate(answers)
        if answer.start is not None and (plain[number] is not None or _occurrences(answer))
    ]
    rule, spans = CHARACTERS, plain
    if all(plain[number] is not None for number in voters):
        return spans
    shift, gain = _shift([answers[number] for number in voters]), 0
    for other in (*RULES, *((_shifted(shift),) if shift is not None else ())):
        found = [_at(answer, other.position(answer)) for answer in answers]
        differing = [number for number in voters if found[number] != plain[number]]
        located = sum(found[number] is not None for number in differing)
        lost = sum(plain[number] is not None for number in differing)
        if located >= AGREEMENT * len(differing) and located - lost > gain:
            rule, spans, gain = other, found, located - lost
    if rule is not CHARACTERS:
        by_rule, by_characters = (sum(side[number] is not None for number in voters) for side in (spans, plain))
        log_info(
            f"{where}: offsets are read as {rule.words}, which fits {by_rule:,} of {len(voters):,} answers; as "
            f"characters, {by_characters:,} would fit"
        )
    return spans


def _shifted(shift: int) -> OffsetRule:
    words = "counted from 1" if shift == 1 else f"each {abs(shift):,} too {'large' if shift > 0 else 'small'}"
    return OffsetRule(f"characters, {words}", first=shift)


def _shift(answers: Sequence[PlacedAnswer]) -> int | None:
    """Return the number by which the offsets of at least two answers are all too large; None if there is none."""
    shared: set[int] = set()
    for number, answer in enumerate(answers):
        assert answer.start is not None
        shifts = {answer.start - start for start, _ in _occurrences(answer)}
        shared = shifts if number == 0 else shared & shifts
        if not shared:
            return None
    return shared.pop() if len(answers) > 1 and len(shared) == 1 else None


def _forms(text: str) -> Iterator[tuple[str, int]]:
    """Yield equivalent texts of an answer, and how many characters after the offset each begins.

    Unicode forms NFC and NFD look the same, and white space around an answer is not part of the answer.
    """
    stripped = text.strip()
    seen = set()
    for form, behind in ((text, 0), (stripped, len(text) - len(text.lstrip())), (stripped, 0)):
        for written in (form, unicodedata.normalize("NFC", form), unicodedata.normalize("NFD", form)):
            if (written, behind) not in seen:
                seen.add((written, behind))
                yield written, behind


def _at(answer: PlacedAnswer, position: int | None) -> Span | None:
    """Return the span of an answer at a position of its context, or None if its text is not there."""
    if position is None:
        return None
    if answer.context.startswith(answer.text, position):
        return position, position + len(answer.text)
    for form, behind in _forms(answer.text):
        if answer.context.startswith(form, position + behind):
            return position + behind, position + behind + len(form)
    return None


def _occurrences(answer: PlacedAnswer) -> list[Span]:
    """Return all occurrences of an answer's text in its context, in the first of its forms that occurs."""
    for form, _ in _forms(answer.text):
        places = []
        at = answer.context.find(form)
        while at >= 0:
            places.append((at, at + len(form)))
            at = answer.context.find(form, at + 1)
        if places:
            return places
    return []

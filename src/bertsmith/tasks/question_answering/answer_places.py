"""Where the answers of a file are in their contexts: one rule of counting for all offsets of the file.

An offset counts characters (code points) in SQuAD. Tools written in JavaScript, Java or C# count UTF-16 units, others
count bytes of UTF-8 or both characters of a line break, and some count from 1. A wrong rule is hard to see in a single
answer: a short answer often occurs again near its place. So the rule is chosen for the whole file, by the answers that
only one rule places. An answer that the rule does not place is taken where its text occurs, if it occurs once;
otherwise it has no place.
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
"""The share of the answers that tell two rules apart which must speak for a rule other than characters."""

Codes = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]
Span = tuple[int, int]
"""Characters of a context, the end exclusive."""


@dataclass(frozen=True)
class PlacedAnswer:
    """An answer as its file gives it: its context, its text, its offset if there is one, and its place in the file."""

    context: str
    text: str
    start: int | None
    place: str


@dataclass(frozen=True)
class Rule:
    """A way to count offsets: what each code point of a text counts, and what the first one has for its offset."""

    words: str
    widths: Callable[[Codes], Ints] | None = None
    first: int = 0

    def position(self, answer: PlacedAnswer) -> int | None:
        """The code point of the context at the offset of an answer; None if there is no such code point."""
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
    alone: npt.NDArray[np.bool_] = (codes == ord("\n")) & (np.append(0, codes[:-1]) != ord("\r"))
    return 1 + alone.astype(np.int64)


def _line_break_as_one(codes: Codes) -> Ints:
    followed: npt.NDArray[np.bool_] = (codes == ord("\r")) & (np.append(codes[1:], 0) == ord("\n"))
    return 1 - followed.astype(np.int64)


CHARACTERS = Rule("characters")
RULES = (
    Rule("UTF-16 units (as JavaScript, Java and C# count)", _units),
    Rule("bytes of UTF-8", _bytes),
    Rule("characters, with two for each line break", _line_break_as_two),
    Rule("characters, with one for each line break (CR LF)", _line_break_as_one),
)


@lru_cache(maxsize=16)  # the questions of a context follow each other
def _offsets(rule: Rule, context: str) -> Ints:
    """int64 of [code points]: the offset of each by the rule, counted from 0."""
    assert rule.widths is not None
    codes = np.frombuffer(context.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    widths = rule.widths(codes)
    return np.cumsum(widths) - widths


def place_answers(where: str, answers: Sequence[PlacedAnswer]) -> list[Span | None]:
    """The place of each answer of a file; None for those that have no certain place.

    Prints the rule unless it is characters, how many answers are taken where their text occurs, and how many have no
    place. `where` is the file.
    """
    spans = _by_one_rule(where, answers)
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
            f"{where}: the offset is wrong for {len(moved):,} of {len(answers):,} answers, the first is {moved[0]}; "
            "each is taken where its text occurs, once, in its context"
        )
    if several or missing:
        warn(
            f"{where}: no certain place in the context for {len(several) + len(missing):,} of {len(answers):,} "
            f"answers, the first is {(several + missing)[0]}: no offset fits, and the text occurs several times "
            f"({len(several):,}) or not at all ({len(missing):,})"
        )
    return spans


def _by_one_rule(where: str, answers: Sequence[PlacedAnswer]) -> list[Span | None]:
    """The answers that are at their offset by the rule of the file; None for the others."""
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
        right = sum(found[number] is not None for number in differing)
        lost = sum(plain[number] is not None for number in differing)
        if right >= AGREEMENT * len(differing) and right - lost > gain:
            rule, spans, gain = other, found, right - lost
    if rule is not CHARACTERS:
        by_rule, by_characters = (sum(side[number] is not None for number in voters) for side in (spans, plain))
        log_info(
            f"{where}: the offsets are read as {rule.words}: so {by_rule:,} of {len(voters):,} answers are at their "
            f"offset, as characters {by_characters:,}"
        )
    return spans


def _shifted(shift: int) -> Rule:
    words = "counted from 1" if shift == 1 else f"each {abs(shift):,} too {'large' if shift > 0 else 'small'}"
    return Rule(f"characters, {words}", first=shift)


def _shift(answers: Sequence[PlacedAnswer]) -> int | None:
    """The one number by which the offsets of all of at least two answers are too large; None if there is none."""
    shared: set[int] = set()
    for number, answer in enumerate(answers):
        assert answer.start is not None
        shifts = {answer.start - start for start, _ in _occurrences(answer)}
        shared = shifts if number == 0 else shared & shifts
        if not shared:
            return None
    return shared.pop() if len(answers) > 1 and len(shared) == 1 else None


def _forms(text: str) -> Iterator[tuple[str, int]]:
    """The texts that are the same answer, and how far behind the offset each may begin.

    The Unicode forms NFC and NFD are the same to a reader, and white space around an answer is no part of it.
    """
    stripped = text.strip()
    seen = set()
    for form, behind in ((text, 0), (stripped, len(text) - len(text.lstrip())), (stripped, 0)):
        for written in (form, unicodedata.normalize("NFC", form), unicodedata.normalize("NFD", form)):
            if (written, behind) not in seen:
                seen.add((written, behind))
                yield written, behind


def _at(answer: PlacedAnswer, position: int | None) -> Span | None:
    """The answer at a code point of its context, or None if its text is not there."""
    if position is None:
        return None
    if answer.context.startswith(answer.text, position):
        return position, position + len(answer.text)
    for form, behind in _forms(answer.text):
        if answer.context.startswith(form, position + behind):
            return position + behind, position + behind + len(form)
    return None


def _occurrences(answer: PlacedAnswer) -> list[Span]:
    """Every place of the text of an answer in its context, in the first of its forms that occurs at all."""
    for form, _ in _forms(answer.text):
        places = []
        at = answer.context.find(form)
        while at >= 0:
            places.append((at, at + len(form)))
            at = answer.context.find(form, at + 1)
        if places:
            return places
    return []

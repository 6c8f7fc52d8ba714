"""The steps by name, what is counted, and what is kept of what was dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bertsmith.config.options import nearest

ALL_STEPS: dict[str, str] = {
    "unicode": "repair wrongly decoded characters (Ã© for é), bring the text to Unicode form NFC",
    "controls": "remove control characters and invisible format characters",
    "boilerplate": "drop paragraphs that are furniture of a site: cookie notices, share buttons, page numbers",
    "symbols": "drop paragraphs in which fewer than half of the characters are letters or digits",
    "short": "drop documents with fewer words than --min-words",
    "repetitive": "drop documents that repeat themselves",
    "language": "drop documents that are surely in another language than --language",
}
"""Name to description, in the order in which steps are applied."""

DEFAULT_STEPS: tuple[str, ...] = tuple(name for name in ALL_STEPS if name != "language")

EMPTY = "empty"
TOO_SHORT = "too short"
SYMBOLS = "mostly symbols"
BOILERPLATE = "boilerplate"
REPETITIVE = "repetitive"
OTHER_LANGUAGE = "other language"
DUPLICATE = "duplicate"


def choose_steps(text: str | Sequence[str]) -> frozenset[str]:
    """The steps that a comma list (or a list of words) leaves switched on.

    A name switches a step on, `no-` before it off; the defaults are what is changed. `none` as the first word starts
    from nothing, `all` from everything.

    Raises:
        ValueError: a word that is no step, with the nearest name.
    """
    words = [word.strip() for word in (text.split(",") if isinstance(text, str) else text)]
    words = [word for word in words if word]
    steps = set(DEFAULT_STEPS)
    for place, word in enumerate(words):
        name = word.removeprefix("no-")
        if place == 0 and word in ("none", "all"):
            steps = set(ALL_STEPS) if word == "all" else set()
        elif name not in ALL_STEPS:
            raise ValueError(_unknown_step(word, place))
        elif name == word:
            steps.add(name)
        else:
            steps.discard(name)
    return frozenset(steps)


def _unknown_step(word: str, place: int) -> str:
    if word in ("none", "all"):
        return f"{word!r} stands only as the first word, found as word {place + 1}"
    known = [*ALL_STEPS, *(f"no-{name}" for name in ALL_STEPS), "none", "all"]
    steps = ", ".join(ALL_STEPS)
    return f"found {word!r}{nearest(word, known)}; the steps are {steps}, and 'no-' before one switches it off"


@dataclass(frozen=True)
class CleaningOptions:
    """The steps that are on, the language of the corpus, and the words a document needs (`short`)."""

    steps: frozenset[str] = frozenset(DEFAULT_STEPS)
    language: str = "en"
    min_words: int = 3


@dataclass
class CleaningCounts:
    """What cleaning did; two counts add up, so that workers count for themselves.

    Nothing goes uncounted: characters of the paragraphs read = characters kept + `characters_dropped` +
    `characters_removed`, and paragraphs read = paragraphs kept + `paragraphs_dropped`.
    """

    paragraphs_dropped: Counter[str] = field(default_factory=Counter)
    """By reason; paragraphs of a document that is dropped whole are under its reason."""
    characters_dropped: Counter[str] = field(default_factory=Counter)
    """By the same reasons, in characters of the clean text."""
    paragraphs_repaired: Counter[str] = field(default_factory=Counter)
    """By step (`unicode`, `controls`, and what is always done: `not encodable`, `white space`)."""
    characters_removed: Counter[str] = field(default_factory=Counter)
    """By the same steps: how much shorter the text became. NFC can lengthen a text, so a count can be negative."""

    def update(self, other: CleaningCounts) -> None:
        """Add another's counts to these."""
        self.paragraphs_dropped.update(other.paragraphs_dropped)
        self.characters_dropped.update(other.characters_dropped)
        self.paragraphs_repaired.update(other.paragraphs_repaired)
        self.characters_removed.update(other.characters_removed)

    def __add__(self, other: CleaningCounts) -> CleaningCounts:
        both = CleaningCounts()
        both.update(self)
        both.update(other)
        return both


@dataclass(frozen=True)
class Dropped:
    """A text that was dropped: a paragraph (its place in the document, from 0), or None the rest of a document."""

    reason: str
    text: str
    paragraph: int | None

"""The steps by name, what is counted, and what is kept of what was dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bertsmith.config.cleaning import DEFAULT_STEPS

EMPTY = "empty"
TOO_SHORT = "too short"
SYMBOLS = "mostly symbols"
BOILERPLATE = "boilerplate"
REPETITIVE = "repetitive"
OTHER_LANGUAGE = "other language"


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
class DroppedText:
    """A text that was dropped: a paragraph (its place in the document, from 0), or None the rest of a document."""

    reason: str
    text: str
    paragraph: int | None

"""Names of the reasons for dropping text, the options of cleaning, and its counts."""

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
    """The enabled steps, the language of the corpus, and the minimum number of words per document (`short`)."""

    steps: frozenset[str] = frozenset(DEFAULT_STEPS)
    language: str = "en"
    min_words: int = 3


@dataclass
class CleaningCounts:
    """Counts of what cleaning changed. Counts can be added, so that each worker keeps its own.

    Every character is accounted for: characters of the paragraphs read = characters kept + `characters_dropped` +
    `characters_removed`, and paragraphs read = paragraphs kept + `paragraphs_dropped`.
    """

    paragraphs_dropped: Counter[str] = field(default_factory=Counter)
    """By reason. Paragraphs of a document that is dropped as a whole count under its reason."""
    characters_dropped: Counter[str] = field(default_factory=Counter)
    """By the same reasons, in characters of the clean text."""
    paragraphs_repaired: Counter[str] = field(default_factory=Counter)
    """By step (`unicode`, `controls`, and the steps that always run: `not encodable`, `white space`)."""
    characters_removed: Counter[str] = field(default_factory=Counter)
    """By the same steps: the number of characters by which the text became shorter. Negative if NFC lengthens a
    text."""

    def update(self, other: CleaningCounts) -> None:
        """Add the counts of `other`."""
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
    """A dropped text: the paragraph of this index, or the rest of a document if `paragraph` is None."""

    reason: str
    text: str
    paragraph: int | None

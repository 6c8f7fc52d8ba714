"""The alphabet of a vocabulary: the characters that have entries, so that words made of them are never [UNK]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bertsmith.tokenization.unspaced import is_unspaced
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

ALPHABET_SIZE = 1000
COVERAGE = 0.9995
"""Share of a text whose characters the alphabet should include, as SentencePiece does for Chinese and Japanese. There,
the most frequent thousand characters leave one character in eleven as [UNK]."""


@dataclass(frozen=True)
class Alphabet:
    """The most frequent characters of a text. Each has one or two entries in the vocabulary.

    Attributes:
        size: maximum number of characters (`alphabet_size` of `train_wordpiece`); at least 1,000.
        characters: number of distinct characters in the text.
        entries: number of entries for the included characters and the special tokens.
        left_out: share of the text made up by other characters.
    """

    size: int
    characters: int
    entries: int
    left_out: float


def covering_alphabet(words: Mapping[str, int], vocab_size: int | None = None) -> Alphabet:
    """Return the alphabet that covers 99.95% of the text, within the vocabulary size, of at least 1,000 characters."""
    totals: Counter[str] = Counter()
    forms: set[tuple[str, bool]] = set()
    for word, count in words.items():
        for index, character in enumerate(word):
            totals[character] += count
            forms.add((character, index > 0))
    left = totals.total()
    covered = COVERAGE * left
    entries = len(SPECIAL_TOKENS)
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    for size, (character, count) in enumerate(ordered):
        added = 2 if is_unspaced(character) else ((character, False) in forms) + ((character, True) in forms)
        full = vocab_size is not None and entries + added > vocab_size
        if size >= ALPHABET_SIZE and (covered <= 0 or full):
            return Alphabet(size, len(totals), entries, left / totals.total())
        entries += added
        covered -= count
        left -= count
    return Alphabet(max(len(totals), ALPHABET_SIZE), len(totals), entries, 0.0)

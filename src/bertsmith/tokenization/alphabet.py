"""The alphabet of a vocabulary: the characters that it holds, so that words of them are never [UNK]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bertsmith.tokenization.unspaced import is_unspaced
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

ALPHABET_SIZE = 1000
COVERAGE = 0.9995
"""The share of a text whose characters an alphabet should hold, as SentencePiece does for Chinese and Japanese:
there the most frequent thousand leave one character in eleven [UNK]."""


@dataclass(frozen=True)
class Alphabet:
    """The most frequent characters of a text, each of which is an entry of its vocabulary, or two.

    Attributes:
        size: how many characters it may hold (`alphabet_size` of `train_wordpiece`); 1,000 or more.
        characters: how many occur.
        entries: the entries of those that it holds, special tokens included.
        left_out: the share of the text that other characters make up.
    """

    size: int
    characters: int
    entries: int
    left_out: float


def covering_alphabet(words: Mapping[str, int], vocab_size: int | None = None) -> Alphabet:
    """The alphabet that holds 99.95% of the text, as far as that fits a vocabulary; of 1,000 characters or more."""
    totals: Counter[str] = Counter()
    forms: set[tuple[str, bool]] = set()
    for word, count in words.items():
        for place, character in enumerate(word):
            totals[character] += count
            forms.add((character, place > 0))
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

"""Entries common to all WordPiece vocabularies: special tokens, the continuation prefix, and the number of rows."""

from __future__ import annotations

from collections.abc import Sequence

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUING = "##"
ROWS = 64
"""The number of entries is a multiple of this number."""


def with_unused_rows(vocabulary: Sequence[str]) -> list[str]:
    """Append entries `[unused0]`, `[unused1]` and so on, up to a multiple of 64.

    Matrix products are faster with such a number of rows, and the rows can hold new words later. No text produces these
    entries, because BERT's pre-tokenizer splits off the brackets.
    """
    missing = -len(vocabulary) % ROWS
    return [*vocabulary, *(f"[unused{number}]" for number in range(missing))]

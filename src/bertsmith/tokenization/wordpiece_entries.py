"""What every WordPiece vocabulary has in common: special tokens, the mark of continuing pieces, the number of rows."""

from __future__ import annotations

from collections.abc import Sequence

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUING = "##"
ROWS = 64
"""The number of entries is a multiple of this."""


def with_unused_rows(vocabulary: Sequence[str]) -> list[str]:
    """The vocabulary with entries `[unused0]`, `[unused1]` and so on behind it, up to a multiple of 64.

    Matrix products over such a number of rows are faster, and the rows can take words later. No text gives one of them:
    BERT's pre-tokeniser parts the brackets from the name.
    """
    missing = -len(vocabulary) % ROWS
    return [*vocabulary, *(f"[unused{number}]" for number in range(missing))]

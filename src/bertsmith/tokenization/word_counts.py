"""Count the words of a text, split exactly as by BERT's normalizer and pre-tokenizer.

    chunks = count_chunks(texts)  # optionally in worker processes: counters can be added
    words = words_of_chunks(chunks, lowercase=True)

Cost on one thread for 62 MB of English books (367 thousand distinct chunks, 81 thousand distinct words): 3.7 s to count
chunks, 0.9 s to split them into words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers.normalizers import NFC, BertNormalizer, Normalizer
from tokenizers.normalizers import Sequence as NormalizerSequence
from tokenizers.pre_tokenizers import BertPreTokenizer

from bertsmith.tokenization.ascii_words import split_plain

LONGEST_WORD = 100
"""Characters; `BertTokenizer` turns longer words into [UNK] whatever the vocabulary contains."""

_REMOVED_NOT_SPACE = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""Characters at which `str.split` splits, but which `BertNormalizer` removes, joining the text on both sides."""
_REMOVE_THEM = dict.fromkeys(map(ord, _REMOVED_NOT_SPACE))

_CHUNKS_AT_ONCE = 2_000
"""Chunks per call of `tokenizers`, to spread its cost; larger batches gain nothing."""


def normalizer_of(*, lowercase: bool, strip_accents: bool | None = None, composed: bool = False) -> Normalizer:
    """Return BERT's normalizer, followed by Unicode form NFC if `composed`."""
    bert = BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    return NormalizerSequence([bert, NFC()]) if composed else bert


def count_chunks(texts: Iterable[str]) -> Counter[str]:
    """Count the chunks between white space, at 17 MB/s; counters of parts of the texts can be added.

    Each text is split at once, which needs about ten times its size in memory.
    """
    chunks: Counter[str] = Counter()
    for text in texts:
        if any(character in text for character in _REMOVED_NOT_SPACE):
            text = text.translate(_REMOVE_THEM)
        chunks.update(text.split())
    return chunks


def words_of_chunks(
    chunks: Mapping[str, int],
    *,
    lowercase: bool,
    strip_accents: bool | None = None,
    composed: bool = False,
    longest: int | None = LONGEST_WORD,
) -> dict[str, int]:
    """Count the words that BERT's normalizer and pre-tokenizer make of `count_chunks(texts)`.

    They are exactly the words of the whole texts, because white space is a boundary for both steps. Words of more than
    `longest` characters are left out. `strip_accents=None` strips if `lowercase`, as in BERT; `composed` is as in
    `normalizer_of`.

    Printable ASCII, nine in ten chunks of English text, is split with NumPy; of the rest, chunks with equal counts are
    joined and processed together.
    """
    counts = np.fromiter(chunks.values(), np.int64, len(chunks))
    return count_words_of(
        list(chunks), counts, lowercase=lowercase, strip_accents=strip_accents, composed=composed, longest=longest
    )


def count_words_of(
    chunks: Sequence[str],
    counts: npt.NDArray[Any],
    *,
    lowercase: bool,
    strip_accents: bool | None = None,
    composed: bool = False,
    longest: int | None = LONGEST_WORD,
) -> dict[str, int]:
    """Apply `words_of_chunks` to chunks with an array of their counts; chunks with a count of 0 are left out."""
    occurring = counts > 0
    if not occurring.all():
        chunks = [chunks[index] for index in np.flatnonzero(occurring).tolist()]
        counts = counts[occurring]
    plain, found, words_of_chunk = split_plain(chunks, lowercase=lowercase)
    totals = np.zeros(len(found.dictionary), np.int64)
    np.add.at(totals, found.indices.to_numpy(), np.repeat(counts[plain], words_of_chunk))
    words: dict[str, int] = dict(zip(found.dictionary.to_pylist(), totals.tolist(), strict=True))
    normalizer = normalizer_of(lowercase=lowercase, strip_accents=strip_accents, composed=composed)
    pre_tokenizer = BertPreTokenizer()
    other_by_count: dict[int, list[str]] = {}
    for index in np.flatnonzero(~plain).tolist():
        other_by_count.setdefault(int(counts[index]), []).append(chunks[index])
    for count, group in other_by_count.items():
        for start in range(0, len(group), _CHUNKS_AT_ONCE):
            joined = normalizer.normalize_str(" ".join(group[start : start + _CHUNKS_AT_ONCE]))
            for word, _ in pre_tokenizer.pre_tokenize_str(joined):
                words[word] = words.get(word, 0) + count
    return words if longest is None else {word: count for word, count in words.items() if len(word) <= longest}

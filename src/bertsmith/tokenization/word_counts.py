"""Words of a text with their counts, cut exactly as BERT's normaliser and pre-tokeniser cut them.

    chunks = count_chunks(texts)  # in worker processes, if wanted: the counters can be added
    words = words_of_chunks(chunks, lowercase=True)

Cost, one thread, 62 MB of English books (367 thousand distinct chunks, 81 thousand distinct words): 3.7 s to count
chunks, 0.9 s to make words of them.
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
"""Characters; `BertTokenizer` makes a longer word [UNK] whatever the vocabulary holds."""

_REMOVED_NOT_SPACE = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""Where `str.split` splits, but `BertNormalizer` removes the character and joins what stood on both sides."""
_REMOVE_THEM = dict.fromkeys(map(ord, _REMOVED_NOT_SPACE))

_CHUNKS_AT_ONCE = 2_000
"""Chunks that go through `tokenizers` in one call, which spreads its cost; more of them gains nothing."""


def normalizer_of(*, lowercase: bool, strip_accents: bool | None = None, composed: bool = False) -> Normalizer:
    """BERT's normaliser, and behind it Unicode form NFC if `composed`."""
    bert = BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    return NormalizerSequence([bert, NFC()]) if composed else bert


def count_chunks(texts: Iterable[str]) -> Counter[str]:
    """Count the chunks between white space, 17 MB/s: counters of parts of the texts can be added.

    A text is split at once and needs about ten times its size in memory while it is counted.
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
    """Counts of the words that BERT's normaliser and pre-tokeniser make of `count_chunks(texts)`.

    They are exactly the words of the whole texts, because white space is a border for both steps. Words of
    more than `longest` characters are left out. `strip_accents=None` strips if `lowercase`, as in BERT; `composed` is
    that of `normalizer_of`.

    Printable ASCII, nine chunks in ten of English text, is cut with NumPy; of the rest chunks of equal count are
    joined and treated together.
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
    """`words_of_chunks` of chunks and their counts side by side; chunks that are counted 0 times are left out."""
    occurring = counts > 0
    if not occurring.all():
        chunks = [chunks[place] for place in np.flatnonzero(occurring).tolist()]
        counts = counts[occurring]
    plain, found, words_of_chunk = split_plain(chunks, lowercase=lowercase)
    totals = np.zeros(len(found.dictionary), np.int64)
    np.add.at(totals, found.indices.to_numpy(), np.repeat(counts[plain], words_of_chunk))
    words: dict[str, int] = dict(zip(found.dictionary.to_pylist(), totals.tolist(), strict=True))
    normalizer = normalizer_of(lowercase=lowercase, strip_accents=strip_accents, composed=composed)
    pre_tokenizer = BertPreTokenizer()
    other_by_count: dict[int, list[str]] = {}
    for place in np.flatnonzero(~plain).tolist():
        other_by_count.setdefault(int(counts[place]), []).append(chunks[place])
    for count, group in other_by_count.items():
        for start in range(0, len(group), _CHUNKS_AT_ONCE):
            joined = normalizer.normalize_str(" ".join(group[start : start + _CHUNKS_AT_ONCE]))
            for word, _ in pre_tokenizer.pre_tokenize_str(joined):
                words[word] = words.get(word, 0) + count
    return words if longest is None else {word: count for word, count in words.items() if len(word) <= longest}

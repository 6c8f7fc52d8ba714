"""Fingerprints: what duplicates are found by.

Exact duplicates share a hash of their cleaned text. Near-duplicates share most pairs of neighbouring words (in scripts
without spaces, runs of letters: see RUN). Their Jaccard similarity (pairs in both texts over pairs in either) is
estimated by MinHash (Broder 1997, 128 permutations, by rensa), and candidates are found by banding (Leskovec,
Rajaraman, Ullman, Mining of Massive Datasets, 3.4): a signature is cut into 32 bands of 4 values, and two texts with
one equal band are compared.

Why pairs, and these bands: where one word in ten is changed, texts keep a similarity of 0.82 on single words, 0.68 on
pairs, 0.41 on runs of five. Single words mistake texts on one topic for copies; on runs of five copies sink to where
chance agreement lies. With 32 bands of 4, texts of similarity 0.68 meet in a band with a probability of 0.9996, of
0.5 with 0.87, of 0.15 with 0.016.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from bertsmith.runtime.files import atomic_write
from bertsmith.runtime.ragged import gather, offsets_of, sums
from bertsmith.tokenization.unspaced import IDEOGRAPHS, LETTERS

PERMUTATIONS = 128
BANDS = 32
MIN_WORDS = 20
"""A shorter text is compared exactly only: a sentence that differs in one word from another is not its copy."""
MIN_PARAGRAPH = 100
"""Characters; shorter paragraphs ("Chapter I", "Yes, he said.") come back in honest texts."""

KEY = np.dtype([("hash", "<u8"), ("document", "<u4"), ("paragraph", "<u4")])
"""A hash and where it was found, in numbers of its shard."""

Array = npt.NDArray[Any]

_SEED = 42
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
RUN = 5
"""Letters of a script without spaces that stand for a pair of words. Less than that, and different texts share their
runs: of two unrelated Thai texts of 4,000 characters 0.55 of all runs of 2, 0.21 of 3, 0.10 of 4, 0.05 of 5. More, and
copies do not: with one word in ten changed they keep 0.68 on runs of 5, as on pairs of words (docs/corpus.md)."""
_UNSPACED = re.compile(f"[{IDEOGRAPHS}{LETTERS}]")
_LETTER = re.compile(f"[{LETTERS}]")
_COUNTED = np.zeros(256, bool)
_COUNTED[list(b"0123456789abcdefghijklmnopqrstuvwxyz")] = True
_COUNTED[128:] = True


def text_hash(text: str) -> int:
    """64 bits of a text, never 0."""
    return xxhash.xxh3_64_intdigest(text.encode()) or 1


def document_digest(paragraphs: Sequence[str]) -> int:
    """64 bits of a document's cleaned text."""
    raw = hashlib.blake2b("\n".join(paragraphs).encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little")


def words_of_chunks(dictionary: Sequence[str]) -> tuple[Array, Array]:
    """The hashes of the words of each dictionary entry, in a row (uint64), and the words of each entry (int64).

    A word is without ASCII's case and punctuation, and a chunk of punctuation alone is one too; in a script without
    spaces each character begins one.
    """
    raw = "\n".join(dictionary).encode().lower() if dictionary else b""  # of bytes: ASCII alone
    characters = np.frombuffer(raw, np.uint8)
    gaps = characters == 10
    counted = _COUNTED[characters]
    owner = np.cumsum(gaps)[counted]
    sizes = np.bincount(owner, minlength=len(dictionary))
    with np.errstate(over="ignore"):
        # A polynomial of the bytes that count, modulo 2**64, mixed.
        places = np.arange(len(owner)) - np.repeat(offsets_of(sizes)[:-1], sizes)
        powers = np.cumprod(np.full(int(sizes.max(initial=0)) + 1, _MULTIPLIER))
        terms = (characters[counted].astype(np.uint64) + np.uint64(1)) * powers[places]
        running = np.concatenate(([np.uint64(0)], np.cumsum(terms, dtype=np.uint64)))
        offsets = offsets_of(sizes)
        hashes = running[offsets[1:]] - running[offsets[:-1]]
        hashes = (hashes ^ (hashes >> np.uint64(31))) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    lengths = np.ones(len(dictionary), np.int64)
    foreign = np.unique(np.cumsum(gaps)[characters >= 0xE0]).tolist()  # what has three bytes or more in UTF-8
    split = {place: found for place in foreign if (found := _words_of_unspaced(dictionary[place]))}
    if not split:
        return hashes, lengths
    lengths[list(split)] = [len(found) for found in split.values()]
    words = np.zeros(int(lengths.sum()), np.uint64)
    starts = offsets_of(lengths)[:-1]
    words[starts] = hashes
    for place, found in split.items():
        words[starts[place] : starts[place] + len(found)] = list(map(text_hash, found))
    return words, lengths


def _words_of_unspaced(chunk: str) -> list[str]:
    """What stands for words in a chunk with a script without spaces; nothing for any other chunk.

    An ideograph is a word. A letter stands with those behind it, so that it and the next one, a pair, are a run of 5.
    """
    if not _UNSPACED.search(chunk):
        return []
    text = "".join(
        [one for one in chunk.lower() if one.isalnum() or (_LETTER.match(one) and unicodedata.category(one)[0] == "M")]
    )
    return [text[place : place + (RUN - 1 if _LETTER.match(one) else 1)] for place, one in enumerate(text)]


@cache
def min_hash() -> Any:
    """rensa's MinHash on one thread, for good.

    Its threads are made at the first call that wants them, and a process that is forked afterwards waits for ever for
    those that it did not inherit. So the first call is made here, with one thread allowed.
    """
    before = os.environ.get("RAYON_NUM_THREADS")
    os.environ["RAYON_NUM_THREADS"] = "1"
    try:
        from rensa import RMinHash

        rows = np.arange(4_001, dtype=np.uint64)
        RMinHash.digest_matrix_from_flat_token_hashes(rows[:-1], rows, PERMUTATIONS, _SEED)
    finally:
        if before is None:
            del os.environ["RAYON_NUM_THREADS"]
        else:
            os.environ["RAYON_NUM_THREADS"] = before
    return RMinHash


def signatures(word_hashes: Array, words: Array, *, codes: Array, chunks: Array) -> Array:
    """The MinHash signature of each document.

    Args:
        word_hashes, words: of the dictionary, from `words_of_chunks`.
        codes: of [chunks], the documents' chunks in a row.
        chunks: int64 of [documents], the chunks of each.

    Returns:
        uint32 of [documents, 128].
    """
    if len(word_hashes) == len(words):
        row, counts = word_hashes[codes], np.asarray(chunks, np.int64)
    else:
        lengths = words[codes]
        row = gather(word_hashes, offsets_of(words)[:-1][codes], lengths)
        counts = sums(lengths, chunks)
    offsets = offsets_of(counts)
    with np.errstate(over="ignore"):
        following = np.zeros_like(row)
        following[:-1] = row[1:]
        following[offsets[1:][counts > 0] - 1] = 0  # the last word of a document has none behind it
        pairs = (row * _MULTIPLIER) ^ (following + (row >> np.uint64(29)))
    matrix = min_hash().digest_matrix_from_flat_token_hashes(pairs, offsets.astype(np.uint64), PERMUTATIONS, _SEED)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(counts), PERMUTATIONS)


def band_keys(rows: Array, chosen: Array) -> Array:
    """The sorted keys of all bands of the chosen documents (their numbers); equal bands have equal hashes."""
    values = rows[chosen].reshape(len(chosen), BANDS, PERMUTATIONS // BANDS).astype(np.uint64)
    with np.errstate(over="ignore"):
        hashes = np.broadcast_to(np.arange(1, BANDS + 1, dtype=np.uint64) * _MULTIPLIER, values.shape[:2]).copy()
        for place in range(values.shape[2]):
            hashes = (hashes ^ values[:, :, place]) * _MULTIPLIER
            hashes ^= hashes >> np.uint64(31)
    return sorted_keys(hashes.ravel(), np.repeat(chosen, BANDS))


def sorted_keys(hashes: Array, documents: Array, paragraphs: Array | int = 0) -> Array:
    """Keys in the order of their hashes; equal ones stay in the order of their places."""
    keys = np.zeros(len(hashes), KEY)
    keys["hash"], keys["document"], keys["paragraph"] = hashes, documents, paragraphs
    return keys[np.argsort(hashes, kind="stable")]


def write_array(path: Path, array: Array) -> None:
    """Write an array, whole or not at all."""
    with atomic_write(path) as aside, aside.open("wb") as file:
        np.save(file, array)

"""Fingerprints: hashes that identify duplicates.

Exact duplicates share a hash of their cleaned text. Near-duplicates share most pairs of neighbouring words (in scripts
without spaces, runs of letters: see LETTERS_PER_PAIR). MinHash estimates their Jaccard similarity, the pairs in both
texts divided by the pairs in either (Broder 1997; 128 permutations, computed by rensa). Banding finds the candidates
(Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4): a signature is cut into 32 bands of 4 values, and two
texts that agree in a band are compared.

Why pairs, and why these bands: if one word in ten changes, the similarity is 0.82 on single words, 0.68 on pairs and
0.41 on runs of five. Single words confuse texts on one topic with copies; on runs of five, copies fall to the level of
chance. With 32 bands of 4, two texts of similarity 0.68 share a band with probability 0.9996, of 0.5 with 0.87, and of
0.15 with 0.016.
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
"""Shorter texts are only compared exactly: two short sentences that differ in one word are not copies."""
MIN_PARAGRAPH = 100
"""Characters. Shorter paragraphs ("Chapter I", "Yes, he said.") recur in original texts."""

KEY = np.dtype([("hash", "<u8"), ("document", "<u4"), ("paragraph", "<u4")])
"""A hash, and the document and paragraph it comes from, numbered in the shard."""

Array = npt.NDArray[Any]

_SEED = 42
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
LETTERS_PER_PAIR = 5
"""Letters of a script without spaces that count as a pair of words. With shorter runs, different texts share too many:
two unrelated Thai texts of 4,000 characters share 0.55 of all runs of 2, 0.21 of 3, 0.10 of 4 and 0.05 of 5. With
longer runs, copies share too few: with one word in ten changed they share 0.68 of runs of 5, the same as for pairs of
words (docs/corpus.md)."""
_UNSPACED = re.compile(f"[{IDEOGRAPHS}{LETTERS}]")
_LETTER = re.compile(f"[{LETTERS}]")
_COUNTED = np.zeros(256, bool)
_COUNTED[list(b"0123456789abcdefghijklmnopqrstuvwxyz")] = True
_COUNTED[128:] = True


def text_hash(text: str) -> int:
    """Return a 64-bit hash of a text, never 0."""
    return xxhash.xxh3_64_intdigest(text.encode()) or 1


def document_digest(paragraphs: Sequence[str]) -> int:
    """Return a 64-bit hash of a document's cleaned text."""
    raw = hashlib.blake2b("\n".join(paragraphs).encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little")


def hash_words_of_chunks(dictionary: Sequence[str]) -> tuple[Array, Array]:
    """Return the word hashes of all entries, concatenated (uint64), and the number of words per entry (int64).

    ASCII case and punctuation are ignored, but a chunk of only punctuation still counts as one word. In a script
    without spaces each character starts a word.
    """
    raw = "\n".join(dictionary).encode().lower() if dictionary else b""  # lowercases ASCII only
    characters = np.frombuffer(raw, np.uint8)
    gaps = characters == 10
    counted = _COUNTED[characters]
    owner = np.cumsum(gaps)[counted]
    sizes = np.bincount(owner, minlength=len(dictionary))
    with np.errstate(over="ignore"):
        # A polynomial hash of the counted bytes, modulo 2**64, then mixed.
        positions = np.arange(len(owner)) - np.repeat(offsets_of(sizes)[:-1], sizes)
        powers = np.cumprod(np.full(int(sizes.max(initial=0)) + 1, _MULTIPLIER))
        terms = (characters[counted].astype(np.uint64) + np.uint64(1)) * powers[positions]
        running = np.concatenate(([np.uint64(0)], np.cumsum(terms, dtype=np.uint64)))
        offsets = offsets_of(sizes)
        hashes = running[offsets[1:]] - running[offsets[:-1]]
        hashes = (hashes ^ (hashes >> np.uint64(31))) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    lengths = np.ones(len(dictionary), np.int64)
    foreign = np.unique(np.cumsum(gaps)[characters >= 0xE0]).tolist()  # characters of three or more UTF-8 bytes
    split = {index: found for index in foreign if (found := _words_of_unspaced(dictionary[index]))}
    if not split:
        return hashes, lengths
    lengths[list(split)] = [len(found) for found in split.values()]
    words = np.zeros(int(lengths.sum()), np.uint64)
    starts = offsets_of(lengths)[:-1]
    words[starts] = hashes
    for index, found in split.items():
        words[starts[index] : starts[index] + len(found)] = list(map(text_hash, found))
    return words, lengths


def _words_of_unspaced(chunk: str) -> list[str]:
    """Return the words of a chunk in a script without spaces; empty for any other chunk.

    An ideograph is a word. A letter is combined with the 3 letters after it, so that a pair of neighbours spans 5
    letters.
    """
    if not _UNSPACED.search(chunk):
        return []
    text = "".join(
        [
            character
            for character in chunk.lower()
            if character.isalnum() or (_LETTER.match(character) and unicodedata.category(character)[0] == "M")
        ]
    )
    return [
        text[index : index + (LETTERS_PER_PAIR - 1 if _LETTER.match(character) else 1)]
        for index, character in enumerate(text)
    ]


@cache
def min_hash() -> Any:
    """Return rensa's MinHash class, fixed to one thread.

    rensa starts its thread pool at the first call, and a process forked after that waits forever for threads it did not
    inherit. So the first call happens here, with one thread.
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
    """Compute the MinHash signature of each document.

    Args:
        word_hashes, words: of the dictionary, from `hash_words_of_chunks`.
        codes: of [chunks], the concatenated chunks of the documents.
        chunks: int64 of [documents], the number of chunks per document.

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
        following[offsets[1:][counts > 0] - 1] = 0  # the last word of a document has no successor
        pairs = (row * _MULTIPLIER) ^ (following + (row >> np.uint64(29)))
    matrix = min_hash().digest_matrix_from_flat_token_hashes(pairs, offsets.astype(np.uint64), PERMUTATIONS, _SEED)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(counts), PERMUTATIONS)


def band_keys(rows: Array, chosen: Array) -> Array:
    """Return the sorted band keys of the chosen documents (given by number); equal bands have equal hashes."""
    values = rows[chosen].reshape(len(chosen), BANDS, PERMUTATIONS // BANDS).astype(np.uint64)
    with np.errstate(over="ignore"):
        hashes = np.broadcast_to(np.arange(1, BANDS + 1, dtype=np.uint64) * _MULTIPLIER, values.shape[:2]).copy()
        for index in range(values.shape[2]):
            hashes = (hashes ^ values[:, :, index]) * _MULTIPLIER
            hashes ^= hashes >> np.uint64(31)
    return sorted_keys(hashes.ravel(), np.repeat(chosen, BANDS))


def sorted_keys(hashes: Array, documents: Array, paragraphs: Array | int = 0) -> Array:
    """Return keys sorted by hash; equal hashes keep document order."""
    keys = np.zeros(len(hashes), KEY)
    keys["hash"], keys["document"], keys["paragraph"] = hashes, documents, paragraphs
    return keys[np.argsort(hashes, kind="stable")]


def write_array(path: Path, array: Array) -> None:
    """Write an array atomically."""
    with atomic_write(path) as temporary_path, temporary_path.open("wb") as file:
        np.save(file, array)

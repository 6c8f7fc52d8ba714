"""The fingerprints of a shard in files next to it: what duplicates are found by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bertsmith.corpus.deduplication import FingerprintPaths
from bertsmith.corpus.fingerprints import MIN_WORDS, band_keys, signatures, sorted_keys, words_of_chunks, write_array
from bertsmith.corpus.shards import Shard
from bertsmith.corpus.work_folder import CLEAN, numbered
from bertsmith.runtime.ragged import sums
from bertsmith.tokenization.unspaced import count_words


def sidecars(folder: Path, number: int) -> FingerprintPaths:
    """The files of a shard's fingerprints."""
    names = (".documents.npy", ".bands.npy", ".paragraphs.npy", ".signatures.npy")
    return FingerprintPaths(*(numbered(folder, CLEAN, number, suffix=name) for name in names))


def write_fingerprints(paths: FingerprintPaths, shard: Shard) -> None:
    """Write the hashes of documents and paragraphs, and the signatures and bands of near-duplicates."""
    numbers = np.arange(len(shard.ids))
    write_array(paths.documents, sorted_keys(shard.digests, numbers))
    rows = signatures(*words_of_chunks(shard.dictionary), codes=shard.codes, chunks=np.diff(shard.document_chunks))
    write_array(paths.signatures, rows)
    sizes = np.fromiter(map(count_words, shard.dictionary), np.int64, len(shard.dictionary))
    words = sums(sizes[shard.codes], np.diff(shard.document_chunks))
    write_array(paths.bands, band_keys(rows, np.flatnonzero(words >= MIN_WORDS)))
    places = np.arange(len(shard.paragraph_hashes))
    chosen = shard.paragraph_hashes != 0
    documents = np.repeat(numbers, shard.paragraphs)
    write_array(paths.paragraphs, sorted_keys(shard.paragraph_hashes[chosen], documents[chosen], places[chosen]))

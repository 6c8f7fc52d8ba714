"""The fingerprints of a shard, in files next to it, for de-duplication."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bertsmith.corpus.deduplication import FingerprintPaths
from bertsmith.corpus.fingerprints import (
    MIN_WORDS,
    band_keys,
    hash_words_of_chunks,
    signatures,
    sorted_keys,
    write_array,
)
from bertsmith.corpus.shards import Shard
from bertsmith.corpus.work_folder import CLEAN, stage_file
from bertsmith.runtime.ragged import sums
from bertsmith.tokenization.unspaced import count_words


def fingerprint_paths(folder: Path, number: int) -> FingerprintPaths:
    """Return the paths of a shard's fingerprint files."""
    names = (".documents.npy", ".bands.npy", ".paragraphs.npy", ".signatures.npy")
    return FingerprintPaths(*(stage_file(folder, CLEAN, number, suffix=name) for name in names))


def write_fingerprints(paths: FingerprintPaths, shard: Shard) -> None:
    """Write the hashes of documents and paragraphs, and the signatures and bands for near-duplicates."""
    numbers = np.arange(len(shard.ids))
    write_array(paths.documents, sorted_keys(shard.digests, numbers))
    rows = signatures(*hash_words_of_chunks(shard.dictionary), codes=shard.codes, chunks=np.diff(shard.document_chunks))
    write_array(paths.signatures, rows)
    sizes = np.fromiter(map(count_words, shard.dictionary), np.int64, len(shard.dictionary))
    words = sums(sizes[shard.codes], np.diff(shard.document_chunks))
    write_array(paths.bands, band_keys(rows, np.flatnonzero(words >= MIN_WORDS)))
    indices = np.arange(len(shard.paragraph_hashes))
    chosen = shard.paragraph_hashes != 0
    documents = np.repeat(numbers, shard.paragraphs)
    write_array(paths.paragraphs, sorted_keys(shard.paragraph_hashes[chosen], documents[chosen], indices[chosen]))

"""Duplicates over all shards: found from the fingerprints on disk, and listed for people."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from bertsmith.corpus.decisions import name_clusters, to_json_lines
from bertsmith.corpus.deduplication import Duplicates, find_duplicates
from bertsmith.corpus.shards import read_arrays
from bertsmith.corpus.stages.cleaned_corpus import Corpus
from bertsmith.corpus.stages.fingerprint_files import fingerprint_paths
from bertsmith.corpus.work_folder import shard_file
from bertsmith.records.manifest import DuplicateGroup
from bertsmith.runtime.files import write_text

CLUSTERS_SHOWN = 50


def find_all_duplicates(corpus: Corpus, *, exact: bool, near: float | None, paragraphs: bool) -> Duplicates:
    """Find the duplicates over all shards."""
    held_out = [read_arrays(shard_file(corpus.folder, number), "held_out")[0] for number in range(corpus.shards)]
    return find_duplicates(
        [fingerprint_paths(corpus.folder, number) for number in range(corpus.shards)],
        corpus.documents,
        np.concatenate(held_out) if held_out else np.zeros(0, bool),
        exact=exact,
        near=near,
        paragraphs=paragraphs,
    )


def write_clusters(corpus: Corpus, duplicates: Duplicates, path: Path) -> list[DuplicateGroup]:
    """Write all clusters of duplicates as JSON lines, largest first; return the first fifty."""
    ordered = sorted(duplicates.clusters, key=lambda cluster: (-len(cluster.dropped), cluster.kept))
    write_text(path, to_json_lines(name_clusters(corpus.folder, corpus.documents, ordered)))
    shown = name_clusters(corpus.folder, corpus.documents, islice(ordered, CLUSTERS_SHOWN))
    return [DuplicateGroup(**row | {"dropped": row["dropped"][:10], "size": len(row["dropped"]) + 1}) for row in shown]

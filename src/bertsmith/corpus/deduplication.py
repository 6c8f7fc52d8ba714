"""De-duplication over all shards: identical documents, near-duplicates, identical paragraphs. One copy stays.

Each shard has its keys (hash, document, paragraph) on disk, sorted by hash. A range of hashes is a slice of each file,
so duplicates are found range by range with a bounded number of keys in memory, for any number of shards. Only one byte
per document and one entry per near-duplicate grow with the corpus.

The documents alone decide which copy stays: a held-out copy before a training copy, so that no held-out text is trained
on; then the first copy by file name.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.fingerprints import PERMUTATIONS

Array = npt.NDArray[Any]

DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near-duplicate"
DUPLICATE_PARAGRAPHS = "duplicate paragraphs"

KEYS_AT_ONCE = 1 << 22
SIGNATURES_OPEN = 64
MAX_COMPARED_PER_BAND = 8
"""Members of a band that each later member is compared with. Copies of one text meet in 32 bands."""

_PLACE = np.dtype([("hash", "<u8"), ("document", "<i8"), ("paragraph", "<u4")])


@dataclass(frozen=True)
class FingerprintPaths:
    """Paths of the fingerprint files of one shard."""

    documents: Path
    bands: Path
    paragraphs: Path
    signatures: Path


@dataclass
class DuplicateCluster:
    """Documents that count as copies of each other: the kept one and the dropped ones (numbered across all shards).

    `similarity` is the lowest similarity that linked two members. The two ends of a chain can be less similar.
    """

    kind: str
    kept: int
    dropped: list[int]
    similarity: float = 1.0


@dataclass
class Duplicates:
    """Documents and paragraphs to drop.

    Attributes:
        reasons: uint8 of [documents]: 0 kept, 1 duplicate, 2 near-duplicate.
        paragraphs: per shard, int64 of [dropped, 2]: document (numbered in the shard) and paragraph (numbered in the
            shard).
        clusters: all clusters of documents.
    """

    reasons: Array
    paragraphs: list[Array]
    clusters: list[DuplicateCluster] = field(default_factory=list)


def find_duplicates(
    shards: Sequence[FingerprintPaths],
    documents: Sequence[int],
    held_out: Array,
    *,
    exact: bool,
    near: float | None,
    paragraphs: bool,
) -> Duplicates:
    """Find the documents and paragraphs to drop.

    Args:
        shards, documents: the fingerprints and the number of documents of each shard.
        held_out: bool of [documents] across all shards.
        exact, paragraphs: whether to look for identical documents and identical paragraphs.
        near: minimum Jaccard similarity of word pairs that makes two documents near-duplicates; None skips the search.
    """
    shard_starts = np.concatenate(([0], np.cumsum(documents))).astype(np.int64)
    result = Duplicates(np.zeros(int(shard_starts[-1]), np.uint8), [])
    if exact:
        _exact([shard.documents for shard in shards], shard_starts, held_out, result=result)
    if near is not None:
        _near(shards, shard_starts, held_out, threshold=near, result=result)
    result.paragraphs = (
        _paragraphs([shard.paragraphs for shard in shards], shard_starts, held_out, reasons=result.reasons)
        if paragraphs
        else [np.zeros((0, 2), np.int64) for _ in shards]
    )
    return result


def _exact(files: Sequence[Path], shard_starts: Array, held_out: Array, *, result: Duplicates) -> None:
    for group in _groups(files, shard_starts):
        members = group["document"]
        kept = _survivor(members, held_out)
        dropped = members[members != kept]
        result.reasons[dropped] = 1
        result.clusters.append(DuplicateCluster(DUPLICATE, kept, dropped.tolist()))


def _near(
    shards: Sequence[FingerprintPaths], shard_starts: Array, held_out: Array, *, threshold: float, result: Duplicates
) -> None:
    signatures = _Signatures([shard.signatures for shard in shards], shard_starts)
    parents: dict[int, int] = {}
    similarities: dict[int, float] = {}
    known: set[tuple[int, int]] = set()
    for group in _groups([shard.bands for shard in shards], shard_starts):
        members = group["document"][result.reasons[group["document"]] == 0]
        compared: list[int] = []
        for member in members.tolist():
            for other in compared:
                if _root(parents, other) == _root(parents, member) or (other, member) in known:
                    continue
                known.add((other, member))
                similarity = signatures.similarity(other, member)
                if similarity >= threshold:
                    low = min(
                        similarity,
                        similarities.pop(_root(parents, other), 1.0),
                        similarities.pop(_root(parents, member), 1.0),
                    )
                    similarities[_union(parents, other, member)] = low
            if len(compared) < MAX_COMPARED_PER_BAND:
                compared.append(member)
    clusters: dict[int, list[int]] = {}
    for member in parents:
        clusters.setdefault(_root(parents, member), []).append(member)
    for root, found in sorted(clusters.items()):
        members = np.array(sorted(found), np.int64)
        kept = _survivor(members, held_out)
        dropped = members[members != kept]
        result.reasons[dropped] = 2
        result.clusters.append(DuplicateCluster(NEAR_DUPLICATE, kept, dropped.tolist(), round(similarities[root], 3)))


def _paragraphs(files: Sequence[Path], shard_starts: Array, held_out: Array, *, reasons: Array) -> list[Array]:
    found: list[tuple[Array, Array]] = []
    for whole in _groups(files, shard_starts):
        group = whole[reasons[whole["document"]] == 0]
        if len(group) < 2:
            continue
        # Groups are in document order: the first held-out paragraph stays, or the first one if none is held out.
        kept = int(np.argmax(held_out[group["document"]]))
        dropped = np.delete(group, kept)
        found.append((dropped["document"], dropped["paragraph"]))
    numbers = np.concatenate([item[0] for item in found]) if found else np.zeros(0, np.int64)
    positions = np.concatenate([item[1] for item in found]) if found else np.zeros(0, np.int64)
    order = np.lexsort((positions, numbers))
    numbers, positions = numbers[order], positions[order].astype(np.int64)
    bounds = np.searchsorted(numbers, shard_starts)
    return [
        np.stack((numbers[start:stop] - begin, positions[start:stop]), axis=1)
        for begin, start, stop in zip(
            shard_starts[:-1].tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True
        )
    ]


def _survivor(members: Array, held_out: Array) -> int:
    held = members[held_out[members]]
    return int((held if len(held) else members).min())


def _groups(files: Sequence[Path], shard_starts: Array) -> Iterator[Array]:
    """Yield groups of keys that share a hash, each in document order across all shards."""
    # Files are opened one at a time: a corpus can have more files than a process may open.
    total = sum(len(_mapped(path)) for path in files)
    ranges = max(1, -(-total // KEYS_AT_ONCE))
    edges = [step * 2**64 // ranges for step in range(1, ranges)]
    cuts = [_cuts(path, edges) for path in files]
    for number in range(ranges):
        parts = []
        for path, cut, begin in zip(files, cuts, shard_starts.tolist(), strict=False):
            keys = _mapped(path)[cut[number] : cut[number + 1]]
            part = np.empty(len(keys), _PLACE)
            part["hash"], part["paragraph"] = keys["hash"], keys["paragraph"]
            part["document"] = keys["document"].astype(np.int64) + begin
            parts.append(part)
        joined = np.concatenate(parts) if parts else np.zeros(0, _PLACE)
        joined = joined[np.argsort(joined["hash"], kind="stable")]
        hashes = joined["hash"]
        borders = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1], [True])))
        for run in np.flatnonzero(np.diff(borders) > 1).tolist():
            yield joined[borders[run] : borders[run + 1]]


def _cuts(path: Path, edges: Sequence[int]) -> list[int]:
    """Return where the ranges of hashes begin and end in a file of keys."""
    keys = _mapped(path)
    return [0, *(int(np.searchsorted(keys["hash"], np.uint64(edge))) for edge in edges), len(keys)]


def _mapped(path: Path) -> Array:
    """Map the keys of a file; an empty array cannot be mapped and is read instead."""
    with path.open("rb") as file:
        empty = len(file.read(257)) < 257
    keys: Array = np.load(path, mmap_mode=None if empty else "r")
    return keys


class _Signatures:
    """The signatures of all shards, memory-mapped on demand with a limited number of open files."""

    def __init__(self, files: Sequence[Path], shard_starts: Array) -> None:
        self.files, self.shard_starts = files, shard_starts
        self.open: OrderedDict[int, Array] = OrderedDict()

    def _row(self, document: int) -> Array:
        shard = int(np.searchsorted(self.shard_starts, document, side="right")) - 1
        if shard not in self.open:
            if len(self.open) >= SIGNATURES_OPEN:
                self.open.popitem(last=False)
            self.open[shard] = np.load(self.files[shard], mmap_mode="r")
        self.open.move_to_end(shard)
        row: Array = self.open[shard][document - int(self.shard_starts[shard])]
        return row

    def similarity(self, a: int, b: int) -> float:
        """Estimate the Jaccard similarity of two documents, with a standard error of at most 0.044."""
        return int(np.count_nonzero(self._row(a) == self._row(b))) / PERMUTATIONS


def _root(parents: dict[int, int], member: int) -> int:
    path = []
    while (parent := parents.get(member, member)) != member:
        path.append(member)
        member = parent
    for passed in path:
        parents[passed] = member
    return member


def _union(parents: dict[int, int], a: int, b: int) -> int:
    """Join two sets under the smaller root. Both members are added to `parents`."""
    low, high = sorted((_root(parents, a), _root(parents, b)))
    parents[low] = parents[high] = low
    return low

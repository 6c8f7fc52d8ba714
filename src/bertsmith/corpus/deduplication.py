"""De-duplication over shards: equal documents, near-duplicates, equal paragraphs; one of each stays.

Every shard has its keys (hash, document, paragraph) on the disk, sorted by hash. A range of hashes is then a slice of
each file, so duplicates are found range by range with a bounded number of keys in memory, however many shards there
are. What grows with the corpus is one byte a document, and an entry for each document that has a near-duplicate.

Which one stays follows from the documents alone: one that is held out before one to train on, so that no copy of a
held-out text is trained on; then the first in the order of the files' names.
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
COMPARED_IN_A_BAND = 8
"""Members of a band that a later member is compared with; copies of one text meet in 32 bands."""

_PLACE = np.dtype([("hash", "<u8"), ("document", "<i8"), ("paragraph", "<u4")])


@dataclass(frozen=True)
class FingerprintPaths:
    """The fingerprints of one shard on the disk."""

    documents: Path
    bands: Path
    paragraphs: Path
    signatures: Path


@dataclass
class Cluster:
    """Documents taken for one: who stays and who goes (numbers through all shards).

    `similarity` is the least of those that linked them; the two ends of a chain can be less alike.
    """

    kind: str
    kept: int
    dropped: list[int]
    similarity: float = 1.0


@dataclass
class Duplicates:
    """What is to be dropped.

    Attributes:
        reasons: uint8 of [documents]: 0 kept, 1 duplicate, 2 near-duplicate.
        paragraphs: for each shard, int64 of [dropped, 2]: document (number in the shard) and paragraph (number in it).
        clusters: all groups of documents.
    """

    reasons: Array
    paragraphs: list[Array]
    clusters: list[Cluster] = field(default_factory=list)


def find_duplicates(
    shards: Sequence[FingerprintPaths],
    documents: Sequence[int],
    held_out: Array,
    *,
    exact: bool,
    near: float | None,
    paragraphs: bool,
) -> Duplicates:
    """Find what is to be dropped.

    Args:
        shards, documents: the fingerprints and the number of documents of each shard.
        held_out: bool of [documents] through all shards.
        exact, paragraphs: whether equal documents and equal paragraphs are looked for.
        near: the Jaccard similarity on word pairs from which two documents are near-duplicates; None for none.
    """
    first = np.concatenate(([0], np.cumsum(documents))).astype(np.int64)
    result = Duplicates(np.zeros(int(first[-1]), np.uint8), [])
    if exact:
        _exact([shard.documents for shard in shards], first, held_out, result=result)
    if near is not None:
        _near(shards, first, held_out, threshold=near, result=result)
    result.paragraphs = (
        _paragraphs([shard.paragraphs for shard in shards], first, held_out, reasons=result.reasons)
        if paragraphs
        else [np.zeros((0, 2), np.int64) for _ in shards]
    )
    return result


def _exact(files: Sequence[Path], first: Array, held_out: Array, *, result: Duplicates) -> None:
    for group in _groups(files, first):
        members = group["document"]
        kept = _survivor(members, held_out)
        gone = members[members != kept]
        result.reasons[gone] = 1
        result.clusters.append(Cluster(DUPLICATE, kept, gone.tolist()))


def _near(
    shards: Sequence[FingerprintPaths], first: Array, held_out: Array, *, threshold: float, result: Duplicates
) -> None:
    signatures = _Signatures([shard.signatures for shard in shards], first)
    parents: dict[int, int] = {}
    alike: dict[int, float] = {}
    known: set[tuple[int, int]] = set()
    for group in _groups([shard.bands for shard in shards], first):
        members = group["document"][result.reasons[group["document"]] == 0]
        compared: list[int] = []
        for member in members.tolist():
            for other in compared:
                if _root(parents, other) == _root(parents, member) or (other, member) in known:
                    continue
                known.add((other, member))
                similarity = signatures.similarity(other, member)
                if similarity >= threshold:
                    low = min(similarity, alike.pop(_root(parents, other), 1.0), alike.pop(_root(parents, member), 1.0))
                    alike[_union(parents, other, member)] = low
            if len(compared) < COMPARED_IN_A_BAND:
                compared.append(member)
    clusters: dict[int, list[int]] = {}
    for member in parents:
        clusters.setdefault(_root(parents, member), []).append(member)
    for root, found in sorted(clusters.items()):
        members = np.array(sorted(found), np.int64)
        kept = _survivor(members, held_out)
        gone = members[members != kept]
        result.reasons[gone] = 2
        result.clusters.append(Cluster(NEAR_DUPLICATE, kept, gone.tolist(), round(alike[root], 3)))


def _paragraphs(files: Sequence[Path], first: Array, held_out: Array, *, reasons: Array) -> list[Array]:
    found: list[tuple[Array, Array]] = []
    for whole in _groups(files, first):
        group = whole[reasons[whole["document"]] == 0]
        if len(group) < 2:
            continue
        # The groups are in the order of places, so the first held-out one, or else the first of all, stays.
        kept = int(np.argmax(held_out[group["document"]]))
        gone = np.delete(group, kept)
        found.append((gone["document"], gone["paragraph"]))
    numbers = np.concatenate([item[0] for item in found]) if found else np.zeros(0, np.int64)
    places = np.concatenate([item[1] for item in found]) if found else np.zeros(0, np.int64)
    order = np.lexsort((places, numbers))
    numbers, places = numbers[order], places[order].astype(np.int64)
    bounds = np.searchsorted(numbers, first)
    return [
        np.stack((numbers[start:stop] - begin, places[start:stop]), axis=1)
        for begin, start, stop in zip(first[:-1].tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]


def _survivor(members: Array, held_out: Array) -> int:
    held = members[held_out[members]]
    return int((held if len(held) else members).min())


def _groups(files: Sequence[Path], first: Array) -> Iterator[Array]:
    """Runs of keys with one hash, found more than once; each in the order of its places through all shards."""
    # A file is open only while it is looked at: there may be more of them than a process may open.
    total = sum(len(_mapped(path)) for path in files)
    ranges = max(1, -(-total // KEYS_AT_ONCE))
    edges = [step * 2**64 // ranges for step in range(1, ranges)]
    cuts = [_cuts(path, edges) for path in files]
    for number in range(ranges):
        parts = []
        for path, cut, begin in zip(files, cuts, first.tolist(), strict=False):
            some = _mapped(path)[cut[number] : cut[number + 1]]
            part = np.empty(len(some), _PLACE)
            part["hash"], part["paragraph"] = some["hash"], some["paragraph"]
            part["document"] = some["document"].astype(np.int64) + begin
            parts.append(part)
        joined = np.concatenate(parts) if parts else np.zeros(0, _PLACE)
        joined = joined[np.argsort(joined["hash"], kind="stable")]
        hashes = joined["hash"]
        borders = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1], [True])))
        for run in np.flatnonzero(np.diff(borders) > 1).tolist():
            yield joined[borders[run] : borders[run + 1]]


def _cuts(path: Path, edges: Sequence[int]) -> list[int]:
    """Where the ranges of hashes begin and end in a file of keys."""
    keys = _mapped(path)
    return [0, *(int(np.searchsorted(keys["hash"], np.uint64(edge))) for edge in edges), len(keys)]


def _mapped(path: Path) -> Array:
    """The keys in a file; an array of no key cannot be mapped and is read."""
    with path.open("rb") as file:
        empty = len(file.read(257)) < 257
    keys: Array = np.load(path, mmap_mode=None if empty else "r")
    return keys


class _Signatures:
    """The signatures of all shards, mapped when they are asked for; few files are open at a time."""

    def __init__(self, files: Sequence[Path], first: Array) -> None:
        self.files, self.first = files, first
        self.open: OrderedDict[int, Array] = OrderedDict()

    def _row(self, document: int) -> Array:
        shard = int(np.searchsorted(self.first, document, side="right")) - 1
        if shard not in self.open:
            if len(self.open) >= SIGNATURES_OPEN:
                self.open.popitem(last=False)
            self.open[shard] = np.load(self.files[shard], mmap_mode="r")
        self.open.move_to_end(shard)
        row: Array = self.open[shard][document - int(self.first[shard])]
        return row

    def similarity(self, one: int, two: int) -> float:
        """The estimated Jaccard similarity of two documents; its standard error is at most 0.044."""
        return int(np.count_nonzero(self._row(one) == self._row(two))) / PERMUTATIONS


def _root(parents: dict[int, int], member: int) -> int:
    path = []
    while (parent := parents.get(member, member)) != member:
        path.append(member)
        member = parent
    for passed in path:
        parents[passed] = member
    return member


def _union(parents: dict[int, int], one: int, two: int) -> int:
    """Join two sets; the smaller root stays. Both become members of `parents`."""
    low, high = sorted((_root(parents, one), _root(parents, two)))
    parents[low] = parents[high] = low
    return low

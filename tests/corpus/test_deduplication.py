"""De-duplication over several shards against a reference that compares everything with everything."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus import deduplication
from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.deduplication import (
    DUPLICATE,
    NEAR_DUPLICATE,
    Cluster,
    Duplicates,
    FingerprintPaths,
    find_duplicates,
)
from bertsmith.corpus.fingerprints import (
    BANDS,
    MIN_PARAGRAPH,
    MIN_WORDS,
    PERMUTATIONS,
    band_keys,
    document_digest,
    signatures,
    sorted_keys,
    text_hash,
    words_of_chunks,
)

A_BAND = PERMUTATIONS // BANDS


@dataclass(frozen=True)
class Text:
    """A document of paragraphs, and its side."""

    paragraphs: tuple[str, ...]
    held_out: bool = False


def signatures_of(texts: Sequence[Text]) -> tuple[np.ndarray, np.ndarray]:
    chunks = split_chunks([" ".join(text.paragraphs) for text in texts])
    rows = signatures(*words_of_chunks(chunks.dictionary), codes=chunks.codes, chunks=chunks.lengths)
    return rows, chunks.lengths


def save(
    folder: Path, number: int, documents: np.ndarray, rows: np.ndarray, words: np.ndarray, paragraphs: np.ndarray
) -> FingerprintPaths:
    """The fingerprints of one shard on the disk."""
    arrays = (documents, band_keys(rows, np.flatnonzero(words >= MIN_WORDS)), paragraphs, rows)
    names = ("documents", "bands", "paragraphs", "signatures")
    paths = [folder / f"{number:05d}.{name}.npy" for name in names]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array)
    return FingerprintPaths(*paths)


def sidecars_of(folder: Path, number: int, texts: Sequence[Text]) -> FingerprintPaths:
    """The fingerprints of a shard of texts."""
    documents = np.array([document_digest(text.paragraphs) for text in texts], np.uint64)
    rows, words = signatures_of(texts)
    found = [(text_hash(paragraph), document) for document, text in enumerate(texts) for paragraph in text.paragraphs]
    long = [len(paragraph) >= MIN_PARAGRAPH for text in texts for paragraph in text.paragraphs]
    places = np.flatnonzero(long)
    hashes = np.array([found[place][0] for place in places], np.uint64)
    owners = np.array([found[place][1] for place in places], np.int64)
    return save(
        folder, number, sorted_keys(documents, np.arange(len(texts))), rows, words, sorted_keys(hashes, owners, places)
    )


@dataclass(frozen=True)
class Found:
    """What is to be dropped, in numbers that do not depend on the shards."""

    reasons: list[int]
    paragraphs: list[tuple[int, int]]
    """Document, and paragraph in the document."""
    clusters: list[tuple[str, int, list[int]]]


def found_of(result: Duplicates, texts: Sequence[Text], bounds: Sequence[int]) -> Found:
    paragraphs = []
    assert len(result.paragraphs) == len(bounds) - 1
    for rows, (first, last) in zip(result.paragraphs, pairwise(bounds), strict=True):
        assert (rows.dtype, rows.shape[1:]) == (np.int64, (2,))
        starts = np.cumsum([0, *(len(text.paragraphs) for text in texts[first:last])])
        paragraphs += [(first + document, int(place - starts[document])) for document, place in rows.tolist()]
    clusters = [(cluster.kind, cluster.kept, sorted(cluster.dropped)) for cluster in result.clusters]
    assert result.reasons.dtype == np.uint8
    return Found(result.reasons.tolist(), paragraphs, sorted(clusters))


def find(
    texts: Sequence[Text],
    cuts: Sequence[int] = (),
    *,
    exact: bool = True,
    near: float | None = 0.7,
    paragraphs: bool = True,
    **limits: int,
) -> tuple[Found, Duplicates]:
    """Duplicates of texts in shards that are cut at these places; `limits` are constants of the module."""
    bounds = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setattr(deduplication, name, value)
        shards = [
            sidecars_of(Path(folder), number, texts[first:last])
            for number, (first, last) in enumerate(pairwise(bounds))
        ]
        result = find_duplicates(
            shards,
            [last - first for first, last in pairwise(bounds)],
            np.array([text.held_out for text in texts], bool),
            exact=exact,
            near=near,
            paragraphs=paragraphs,
        )
    return found_of(result, texts, bounds), result


# The reference


def survivor(members: Sequence[int], texts: Sequence[Text]) -> int:
    """A held-out one before one to train on, then the first."""
    return min(members, key=lambda member: (not texts[member].held_out, member))


def similarity(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.mean(one == two))


def meet(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two signatures have a band in common."""
    return any((one[at : at + A_BAND] == two[at : at + A_BAND]).all() for at in range(0, PERMUTATIONS, A_BAND))


def components(members: Sequence[int], joined: Callable[[int, int], bool]) -> list[list[int]]:
    """Groups of two and more that pairs join, directly or by way of others."""
    group = {member: {member} for member in members}
    for place, one in enumerate(members):
        for two in members[:place]:
            if group[one] is not group[two] and joined(one, two):
                group[one] |= group[two]
                for member in group[two]:
                    group[member] = group[one]
    return sorted({tuple(sorted(some)) for some in group.values() if len(some) > 1})


def reference(texts: Sequence[Text], *, exact: bool = True, near: float | None = 0.7, paragraphs: bool = True) -> Found:
    """Every text compared with every other one, in one process."""
    reasons = [0] * len(texts)
    clusters = []

    def drop(groups: Sequence[Sequence[int]], kind: str, reason: int) -> None:
        for group in groups:
            kept = survivor(group, texts)
            gone = [member for member in group if member != kept]
            clusters.append((kind, kept, gone))
            for member in gone:
                reasons[member] = reason

    if exact:
        groups = components(range(len(texts)), lambda one, two: texts[one].paragraphs == texts[two].paragraphs)
        drop(groups, DUPLICATE, 1)
    if near is not None:
        rows, words = signatures_of(texts) if texts else (np.zeros(0), np.zeros(0))
        left = [place for place in range(len(texts)) if not reasons[place] and words[place] >= MIN_WORDS]
        groups = components(
            left, lambda one, two: similarity(rows[one], rows[two]) >= near and meet(rows[one], rows[two])
        )
        drop(groups, NEAR_DUPLICATE, 2)
    gone = []
    if paragraphs:
        places: dict[str, list[tuple[int, int]]] = {}
        for document, text in enumerate(texts):
            for place, paragraph in enumerate(text.paragraphs):
                if not reasons[document] and len(paragraph) >= MIN_PARAGRAPH:
                    places.setdefault(paragraph, []).append((document, place))
        for group in places.values():
            kept = min(group, key=lambda item: (not texts[item[0]].held_out, item))
            gone += [item for item in group if item != kept]
    return Found(reasons, sorted(gone), sorted(clusters))


# Texts


def passage(draw: Random, words: int = 45) -> list[str]:
    return [f"{draw.choice(['stone', 'river', 'light', 'winter'])}{draw.randrange(200)}" for _ in range(words)]


def variants(number: int) -> list[str]:
    """One passage; copies of it with a word in forty and one in eight changed."""
    draw = Random(number)
    words = passage(draw)
    return [
        " ".join(f"other{draw.randrange(10**6)}" if draw.random() < share else word for word in words)
        for share in (0.0, 0.025, 0.125)
    ]


PASSAGES = [*(text for number in range(4) for text in variants(number)), "Chapter I", "A short line.", "Yes, he said."]

some_texts = st.lists(
    st.builds(Text, st.lists(st.sampled_from(PASSAGES), min_size=1, max_size=3).map(tuple), st.booleans()), max_size=12
)
some_cuts = st.lists(st.integers(0, 12), max_size=4)


@given(some_texts, some_cuts, st.sampled_from([0.5, 0.7, 0.9]))
@settings(max_examples=100)
def test_equals_comparing_everything(texts: list[Text], cuts: list[int], near: float) -> None:
    found, result = find(texts, cuts, near=near)
    assert found == reference(texts, near=near)
    rows, _ = signatures_of(texts) if texts else (np.zeros(0), 0)
    for cluster in result.clusters:
        members = [cluster.kept, *cluster.dropped]
        alike = {round(similarity(rows[one], rows[two]), 3) for one in members for two in members if one != two}
        assert cluster.similarity in (alike if cluster.kind == NEAR_DUPLICATE else {1.0})
        assert cluster.similarity >= round(near, 3)


@given(some_texts, some_cuts, st.booleans(), st.sampled_from([None, 0.7]), st.booleans())
@settings(max_examples=60)
def test_each_kind_is_looked_for_by_itself(
    texts: list[Text], cuts: list[int], exact: bool, near: float | None, paragraphs: bool
) -> None:
    found, _ = find(texts, cuts, exact=exact, near=near, paragraphs=paragraphs)
    assert found == reference(texts, exact=exact, near=near, paragraphs=paragraphs)
    if not exact:
        assert 1 not in found.reasons
    if near is None:
        assert 2 not in found.reasons
    if not paragraphs:
        assert found.paragraphs == []


@given(some_texts, some_cuts, some_cuts)
@settings(max_examples=40)
def test_the_cut_into_shards_changes_nothing(texts: list[Text], one: list[int], two: list[int]) -> None:
    (first, result), (second, other) = find(texts, one), find(texts, two)
    assert first == second
    assert [cluster.similarity for cluster in result.clusters] == [cluster.similarity for cluster in other.clusters]


@given(some_texts, some_cuts, st.sampled_from([1, 2, 7, 50]))
@settings(max_examples=40)
def test_small_ranges_and_few_open_files_change_nothing(texts: list[Text], cuts: list[int], keys: int) -> None:
    few, result = find(texts, cuts, KEYS_AT_ONCE=keys, SIGNATURES_OPEN=1)
    many, other = find(texts, cuts)
    assert few == many
    assert result.clusters == other.clusters


def test_many_ranges_over_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Random(11)
    texts = []
    for number in range(150):
        words = passage(draw, 60)
        texts.append(Text((" ".join(words),), number % 7 == 0))
        if number % 3 == 0:
            copy = [*words[:30], "changed", *words[31:]] if number % 2 else words
            texts.append(Text((" ".join(copy),), number % 5 == 0))
    draw.shuffle(texts)
    expected, _ = find(texts)
    assert expected == reference(texts)
    assert expected.reasons.count(1) == expected.reasons.count(2) == 25
    for keys in (1, 64, 1_000):
        assert find(texts, [20, 21, 21, 90, 160], KEYS_AT_ONCE=keys, SIGNATURES_OPEN=1)[0] == expected


# Who stays


def alike(*shares: float) -> list[str]:
    """A passage of 200 words, changed by these shares."""
    draw = Random(2)
    words = passage(draw, 200)
    return [
        " ".join(f"x{draw.randrange(10**6)}" if draw.random() < share else word for word in words) for share in shares
    ]


@pytest.mark.parametrize("cuts", [(), (1,), (1, 2, 3)])
@pytest.mark.parametrize(
    ("held_out", "kept"), [("----", 0), ("---h", 3), ("-hh-", 1), ("h--h", 0), ("hhhh", 0)], ids=str
)
@pytest.mark.parametrize("kind", [DUPLICATE, NEAR_DUPLICATE])
def test_held_out_ones_stay_first_then_the_first(kind: str, held_out: str, kept: int, cuts: tuple[int, ...]) -> None:
    copies = alike(0, 0, 0, 0) if kind == DUPLICATE else alike(0, 0.01, 0.02, 0.01)
    texts = [Text((copy,), side == "h") for copy, side in zip(copies, held_out, strict=True)]
    found, result = find(texts, cuts)
    assert found.clusters == [(kind, kept, [place for place in range(4) if place != kept])]
    assert found.reasons == [0 if place == kept else 1 + (kind == NEAR_DUPLICATE) for place in range(4)]
    assert isinstance(result.clusters[0], Cluster)


@pytest.mark.parametrize("cuts", [(), (1,), (2, 3)])
@pytest.mark.parametrize(("held_out", "kept"), [("----", 0), ("--h-", 2), ("-hh-", 1), ("hhhh", 0)], ids=str)
def test_a_held_out_paragraph_stays_first(held_out: str, kept: int, cuts: tuple[int, ...]) -> None:
    texts = [
        Text((f"{PASSAGES[3 * place + 2]} its own", "Short.", PASSAGES[0]), held_out[place] == "h")
        for place in range(4)
    ]
    found, _ = find(texts, cuts, near=None)
    assert found.reasons == [0] * 4
    assert found.paragraphs == [(place, 2) for place in range(4) if place != kept]


def test_no_copy_of_a_held_out_text_is_left_to_train_on() -> None:
    one, near, far = alike(0, 0.01, 0.6)
    texts = [Text((one,)), Text((far, one)), Text((near,)), Text((one,), held_out=True)]
    found, _ = find(texts, [2])
    assert found.reasons == [1, 0, 2, 0]
    assert found.paragraphs == [(1, 1)]


def test_a_paragraph_of_a_dropped_document_is_no_reason_to_drop_another() -> None:
    one, two = PASSAGES[0], PASSAGES[3]
    texts = [Text((two,)), Text((two,), held_out=True), Text((one, two))]
    found, _ = find(texts, near=None)
    # The first goes as a copy of the second, whose paragraph stays.
    assert found == Found([1, 0, 0], [(2, 1)], [(DUPLICATE, 1, [0])])
    # Of three documents that are copies only one is left, and its paragraph has no double.
    assert find([texts[0]] * 3, near=None)[0] == Found([0, 1, 1], [], [(DUPLICATE, 0, [1, 2])])


def test_a_paragraph_that_a_document_repeats_stays_once() -> None:
    found, _ = find([Text((PASSAGES[0], PASSAGES[3], PASSAGES[0], "Yes.", "Yes.", PASSAGES[0]))])
    assert found.paragraphs == [(0, 2), (0, 5)]


def test_short_texts_are_compared_exactly_only() -> None:
    words = passage(Random(4), MIN_WORDS)
    short, long = words[:-1], words
    texts = [Text((" ".join(some),)) for some in (short, [*short[:-1], "x"], long, [*long[:-1], "x"], short)]
    found, _ = find(texts, [3], near=0.6)
    assert found.reasons == [0, 0, 0, 2, 1]
    paragraph = "x" * MIN_PARAGRAPH
    texts = [Text((paragraph, "a")), Text((paragraph, "b")), Text((paragraph[1:], "c")), Text((paragraph[1:], "d"))]
    assert find(texts)[0].paragraphs == [(1, 0)]


def test_nothing_to_find() -> None:
    for texts, cuts in (([], ()), ([], (0, 0)), ([Text(("a",))], (0, 0, 1))):
        found, _ = find(texts, cuts)
        assert found == Found([0] * len(texts), [], [])
    result = find_duplicates([], [], np.zeros(0, bool), exact=True, near=0.7, paragraphs=True)
    assert (len(result.reasons), result.paragraphs, result.clusters) == (0, [], [])


# Signatures made by hand


@contextmanager
def noting() -> Iterator[list[tuple[int, int]]]:
    """The pairs of documents whose signatures are compared."""
    with pytest.MonkeyPatch.context() as patch:
        compared: list[tuple[int, int]] = []
        similarity = deduplication._Signatures.similarity

        def noted(self: deduplication._Signatures, one: int, two: int) -> float:
            compared.append((one, two))
            return similarity(self, one, two)

        patch.setattr(deduplication._Signatures, "similarity", noted)
        yield compared


def near_of(folder: Path, rows: np.ndarray, sizes: Sequence[int], threshold: float) -> Duplicates:
    bounds = np.cumsum([0, *sizes]).tolist()
    assert bounds[-1] == len(rows)
    none = sorted_keys(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    shards = [
        save(folder, number, none, rows[first:last], np.full(last - first, MIN_WORDS), none)
        for number, (first, last) in enumerate(pairwise(bounds))
    ]
    return find_duplicates(shards, sizes, np.zeros(len(rows), bool), exact=False, near=threshold, paragraphs=False)


def rows_of(count: int, seed: int = 0) -> np.ndarray:
    """Signatures that have nothing in common."""
    return np.random.default_rng(seed).integers(0, 2**32, (count, PERMUTATIONS), np.uint32)


@pytest.mark.parametrize("sizes", [[6], [1, 2, 3], [3, 0, 2, 1]])
def test_copies_of_copies_are_one_cluster(tmp_path: Path, sizes: list[int]) -> None:
    rows = rows_of(6)
    # 4 - 0 - 5 - 2: neighbours share 112 of 128 values, and no others as many.
    chain = [4, 0, 5, 2]
    for step, (before, after) in enumerate(pairwise(chain)):
        rows[after] = rows[before]
        rows[after, 16 * step : 16 * (step + 1)] = rows_of(1, seed=step + 1)[0, :16]
    result = near_of(tmp_path, rows, sizes, 0.8)
    (cluster,) = result.clusters
    assert (cluster.kind, cluster.kept, cluster.dropped) == (NEAR_DUPLICATE, 0, [2, 4, 5])
    assert cluster.similarity == 0.875
    assert result.reasons.tolist() == [0, 0, 2, 0, 2, 2]
    assert near_of(tmp_path, rows, sizes, 0.88).clusters == []


def test_the_threshold_itself_is_enough(tmp_path: Path) -> None:
    rows = rows_of(2)
    rows[1, :96] = rows[0, :96]
    assert near_of(tmp_path, rows, [1, 1], 0.75).reasons.tolist() == [0, 2]
    assert near_of(tmp_path, rows, [1, 1], 0.7501).reasons.tolist() == [0, 0]


def test_texts_that_meet_in_no_band_are_not_compared(tmp_path: Path) -> None:
    rows = rows_of(2)
    same = np.arange(PERMUTATIONS) % A_BAND != 0
    rows[1, same] = rows[0, same]
    with noting() as compared:
        assert near_of(tmp_path, rows, [2], 0.7).reasons.tolist() == [0, 0]
        assert compared == []


def test_a_crowded_band_is_compared_with_its_first_members_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(40)
    rows[:, :A_BAND] = 7  # one band is common to all, as where a licence is
    rows[39, 4:124] = rows[38, 4:124]  # two copies, late in that band, meet in others
    with noting() as compared:
        result = near_of(tmp_path, rows, [10, 30], 0.7)
        expected = {(one, two) for two in range(40) for one in range(min(two, deduplication.COMPARED_IN_A_BAND))}
        assert set(compared) == expected | {(38, 39)}
        assert len(compared) == len(set(compared))
        assert result.reasons.nonzero()[0].tolist() == [39]
    monkeypatch.setattr(deduplication, "COMPARED_IN_A_BAND", 1)
    with noting() as compared:
        assert near_of(tmp_path, rows, [40], 0.7).reasons.nonzero()[0].tolist() == [39]
        assert set(compared) == {(0, two) for two in range(1, 40)} | {(38, 39)}


def test_copies_of_one_text_are_compared_once_each(tmp_path: Path) -> None:
    rows = np.repeat(rows_of(1), 500, axis=0)
    with noting() as compared:
        result = near_of(tmp_path, rows, [100] * 5, 0.7)
        assert len(compared) == 499
    (cluster,) = result.clusters
    assert (cluster.kept, cluster.dropped, cluster.similarity) == (0, list(range(1, 500)), 1.0)


@pytest.mark.parametrize("exact", [True, False])
def test_five_hundred_copies(exact: bool) -> None:
    texts = [Text((PASSAGES[0], PASSAGES[3]), held_out=number == 321) for number in range(500)]
    found, _ = find(texts, [100, 200, 300, 400], exact=exact, SIGNATURES_OPEN=1)
    assert found.paragraphs == []
    kind, reason = (DUPLICATE, 1) if exact else (NEAR_DUPLICATE, 2)
    assert found.clusters == [(kind, 321, [number for number in range(500) if number != 321])]
    assert found.reasons == [0 if number == 321 else reason for number in range(500)]


def test_one_paragraph_in_five_hundred_documents() -> None:
    texts = [Text((f"Document {number}", PASSAGES[0])) for number in range(500)]
    found, _ = find(texts, [250], near=None)
    assert found.paragraphs == [(number, 1) for number in range(1, 500)]
    assert not any(found.reasons)


def test_few_files_of_signatures_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deduplication, "SIGNATURES_OPEN", 2)
    rows = rows_of(6)
    paths = [tmp_path / f"{number}.npy" for number in range(6)]
    for path, row in zip(paths, rows, strict=True):
        np.save(path, row[None])
    opened = deduplication._Signatures(paths, np.arange(7))
    for one, two in ((0, 5), (5, 0), (3, 1), (4, 4), (2, 0)):
        assert opened.similarity(one, two) == similarity(rows[one], rows[two])
        assert len(opened.open) <= 2


def test_many_shards_need_few_open_files(tmp_path: Path) -> None:
    rows = np.repeat(rows_of(1), 300, axis=0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 150, hard))
    try:
        result = near_of(tmp_path, rows, [1] * 300, 0.7)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert result.reasons.tolist() == [0] + [2] * 299

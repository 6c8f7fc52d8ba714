"""Decisions: what becomes of every document and sentence, and that the counts say the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.decisions import (
    REASONS,
    Decision,
    Division,
    decide_all,
    decide_documents,
    decide_paragraphs,
    json_lines,
    name_clusters,
    read_decision,
    write_decision,
)
from bertsmith.corpus.deduplication import Cluster, Duplicates, FingerprintPaths, find_duplicates
from bertsmith.corpus.fingerprints import document_digest, sorted_keys, text_hash, write_array
from bertsmith.corpus.shards import Shard, read_shard, write_shard
from bertsmith.corpus.work_folder import CLEAN, DECIDE, numbered
from bertsmith.errors import DataError
from bertsmith.tokenization.unspaced import count_words

Paragraph = list[str]
Text = tuple[str, bool, list[Paragraph]]
"""An id, whether it is held out, and paragraphs of sentences."""


def write(folder: Path, number: int, texts: Sequence[Text]) -> None:
    """A shard; every paragraph is compared, however short."""
    paragraphs = [paragraph for _, _, document in texts for paragraph in document]
    chunks = split_chunks([sentence for paragraph in paragraphs for sentence in paragraph])
    shard = Shard(
        ids=[name for name, _, _ in texts],
        held_out=np.array([held_out for _, held_out, _ in texts], bool),
        digests=np.array([document_digest([" ".join(part) for part in parts]) for _, _, parts in texts], np.uint64),
        paragraphs=np.array([len(document) for _, _, document in texts], np.int64),
        paragraph_hashes=np.array([text_hash(" ".join(paragraph)) for paragraph in paragraphs], np.uint64),
        sentences=np.array([len(paragraph) for paragraph in paragraphs], np.int64),
        lengths=chunks.lengths,
        codes=chunks.codes,
        dictionary=chunks.dictionary,
    )
    write_shard(numbered(folder, CLEAN, number, suffix=".npz"), shard)


def duplicates_of(folder: Path, shards: Sequence[Sequence[Text]]) -> Duplicates:
    """Equal documents and equal paragraphs of the shards that `write` wrote."""
    sidecars, held_out = [], []
    for number in range(len(shards)):
        shard = read_shard(numbered(folder, CLEAN, number, suffix=".npz"))
        names = (".documents.npy", ".bands.npy", ".paragraphs.npy", ".signatures.npy")
        paths = FingerprintPaths(*(numbered(folder, CLEAN, number, suffix=name) for name in names))
        documents = np.arange(len(shard.ids))
        write_array(paths.documents, sorted_keys(shard.digests, documents))
        owners, places = np.repeat(documents, shard.paragraphs), np.arange(len(shard.paragraph_hashes))
        write_array(paths.paragraphs, sorted_keys(shard.paragraph_hashes, owners, places))
        sidecars.append(paths)
        held_out.append(shard.held_out)
    return find_duplicates(
        sidecars,
        [len(texts) for texts in shards],
        np.concatenate(held_out),
        exact=True,
        near=None,
        paragraphs=True,
    )


def states_of(folder: Path, shards: Sequence[Sequence[Text]]) -> list[list[list[list[int]]]]:
    """The state of each sentence, by shard, document and paragraph."""
    found = []
    for number, texts in enumerate(shards):
        states = iter(read_decision(folder, number).sentences.tolist())
        found.append([[[next(states) for _ in part] for part in document] for _, _, document in texts])
        assert next(states, None) is None
    return found


def division() -> Division:
    return Division("documents", "a reason")


D, T, H = Decision.DROPPED, Decision.TRAIN, Decision.HELD_OUT


def test_documents_go_paragraphs_go_and_the_rest_has_its_side(tmp_path: Path) -> None:
    one, two, three, four = ["One a.", "One b."], ["Two."], ["Three a b c."], ["Four."]
    shards: list[list[Text]] = [
        [("first", False, [one, two]), ("held", True, [three, two])],
        [("copy", False, [one, two]), ("all elsewhere", False, [three, one]), ("part", False, [four, three])],
    ]
    for number, texts in enumerate(shards):
        write(tmp_path, number, texts)
    divided = decide_documents(tmp_path, 2, duplicates_of(tmp_path, shards), division=division())
    assert states_of(tmp_path, shards) == [[[[T, T], [D]], [[H], [H]]], [[[D, D], [D]], [[D], [D, D]], [[T], [D]]]]
    first, second = (read_decision(tmp_path, number) for number in range(2))
    assert [first.reason(document) for document in range(2)] == ["", ""]
    assert [second.reason(document) for document in range(3)] == ["duplicate", "duplicate paragraphs", ""]
    assert first.paragraphs.tolist() == [[0, 1]]
    assert second.paragraphs.tolist() == [[1, 2], [1, 3], [2, 5]]
    assert (divided.by, divided.reason) == ("documents", "a reason")
    assert (divided.kept, divided.dropped) == (3, {"duplicate": 1, "duplicate paragraphs": 1})
    # Of a document that is dropped as a whole no paragraph is counted.
    assert (divided.dropped_paragraphs, divided.held_out, divided.held_out_chunks) == (2, 1, 5)


def test_without_duplicates_everything_is_kept(tmp_path: Path) -> None:
    texts: list[Text] = [("a", False, [["A b."]]), ("b", True, [["A b."], ["C d e."]])]
    write(tmp_path, 0, texts)
    write(tmp_path, 1, [])
    divided = decide_documents(tmp_path, 2, None, division=division())
    assert states_of(tmp_path, [texts, []]) == [[[[T]], [[H], [H]]], []]
    assert (divided.kept, divided.dropped, divided.dropped_paragraphs) == (2, {}, 0)
    assert (divided.held_out, divided.held_out_chunks) == (1, 5)


def test_near_duplicates_have_their_reason(tmp_path: Path) -> None:
    shards: list[list[Text]] = [[("a", False, [["A."]])], [("b", True, [["B."]]), ("c", False, [["C."]])]]
    for number, texts in enumerate(shards):
        write(tmp_path, number, texts)
    duplicates = Duplicates(np.array([0, 2, 1], np.uint8), [np.zeros((0, 2), np.int64)] * 2)
    divided = decide_documents(tmp_path, 2, duplicates, division=division())
    assert divided.dropped == {"near-duplicate": 1, "duplicate": 1}
    assert states_of(tmp_path, shards) == [[[[T]]], [[[D]], [[D]]]]
    assert (divided.kept, divided.held_out, divided.held_out_chunks) == (1, 0, 0)
    assert duplicates.reasons.tolist() == [0, 2, 1]


pool = [["One."], ["Two a.", "Two b."], ["Three a b."], ["四。", "Four."], ["Five."]]
some_documents = st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(pool), min_size=1, max_size=4)), max_size=8)


@given(some_documents, st.lists(st.integers(0, 8), max_size=3), st.booleans())
@settings(max_examples=60)
def test_states_and_counts_agree(
    documents: list[tuple[bool, list[Paragraph]]], cuts: list[int], deduplicated: bool
) -> None:
    texts: list[Text] = [(f"d{number}", *document) for number, document in enumerate(documents)]
    bounds = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    shards = [texts[first:last] for first, last in pairwise(bounds)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, some in enumerate(shards):
            write(folder, number, some)
        duplicates = duplicates_of(folder, shards) if deduplicated else None
        divided = decide_documents(folder, len(shards), duplicates, division=division())
        states = [document for shard in states_of(folder, shards) for document in shard]
        decisions = [read_decision(folder, number) for number in range(len(shards))]
    reasons = [decision.reason(place) for decision in decisions for place in range(len(decision.documents))]
    gone = {
        (first + document, int(paragraph))
        for decision, (first, _) in zip(decisions, pairwise(bounds), strict=True)
        for document, paragraph in decision.paragraphs.tolist()
    }
    assert len(gone) == sum(len(decision.paragraphs) for decision in decisions)
    assert all((reason == "") == any(map(any, parts)) for reason, parts in zip(reasons, states, strict=True))
    for (_, held_out, _), parts in zip(texts, states, strict=True):
        # A paragraph stays or goes as a whole, on the side of its document.
        assert all(set(part) in ({D}, {H if held_out else T}) for part in parts)
    kept = [number for number, reason in enumerate(reasons) if not reason]
    assert divided.kept == len(kept)
    assert divided.dropped == {reason: reasons.count(reason) for reason in REASONS if reason and reason in reasons}
    assert divided.dropped_paragraphs == sum(part[0] == D for number in kept for part in states[number])
    assert divided.held_out == sum(texts[number][1] for number in kept)
    assert divided.held_out_chunks == sum(
        len(sentence.split())
        for (_, _, document), parts in zip(texts, states, strict=True)
        for paragraph, part in zip(document, parts, strict=True)
        for sentence, state in zip(paragraph, part, strict=True)
        if state == H
    )
    left = [
        (" ".join(paragraph), part[0])
        for (_, _, document), parts in zip(texts, states, strict=True)
        for paragraph, part in zip(document, parts, strict=True)
        if part[0] != D
    ]
    if not deduplicated:
        assert kept == list(range(len(texts)))
        assert not gone
        return
    # Every different paragraph is left once, held out if any copy of it is in a held-out document.
    everywhere: dict[str, set[bool]] = {}
    for _, held_out, document in texts:
        for paragraph in document:
            everywhere.setdefault(" ".join(paragraph), set()).add(held_out)
    assert sorted(text for text, _ in left) == sorted(everywhere)
    for text, state in left:
        assert state == T or True in everywhere[text]


def book(number: int, paragraphs: int) -> list[Paragraph]:
    """Paragraphs of two sentences of ten words, all different."""
    return [[" ".join([f"w{number}x{place}s{side}", *["word"] * 9]) for side in "ab"] for place in range(paragraphs)]


def test_runs_of_paragraphs_are_held_out_of_what_is_kept(tmp_path: Path) -> None:
    shared = book(9, 5)
    shards: list[list[Text]] = [
        [("a", True, [*shared, *book(0, 300)]), ("b", False, [*book(1, 100), *shared, *book(2, 100)])],
        [("c", False, shared), ("d", False, book(3, 400)), ("e", False, book(3, 400)), ("f", True, [["他走了。"]])],
    ]
    for number, texts in enumerate(shards):
        write(tmp_path, number, texts)
    before = decide_documents(tmp_path, 2, duplicates_of(tmp_path, shards), division=division())
    decisions = [read_decision(tmp_path, number) for number in range(2)]
    old = states_of(tmp_path, shards)
    divided = decide_paragraphs(tmp_path, 2, before, share=0.15, seed=0)
    new = states_of(tmp_path, shards)
    for number in range(2):
        decision = read_decision(tmp_path, number)
        assert decision.documents.tolist() == decisions[number].documents.tolist()
        assert decision.paragraphs.tolist() == decisions[number].paragraphs.tolist()
        assert decision.sentences.dtype == np.uint8
        assert ((decision.sentences == D) == (decisions[number].sentences == D)).all()
    assert [decision.documents.tolist() for decision in decisions] == [[0, 0], [3, 0, 1, 0]]
    held = total = 0
    documents = set()
    for texts, shard in zip(shards, new, strict=True):
        for (name, _, document), parts in zip(texts, shard, strict=True):
            for paragraph, part in zip(document, parts, strict=True):
                assert len(set(part)) == 1, "paragraphs stay whole"
                words = sum(map(count_words, paragraph))
                total += words * (part[0] != D)
                held += words * (part[0] == H)
                documents |= {name} if part[0] == H else set()
    assert held == pytest.approx(0.15 * total, abs=20)
    assert held >= 2_000
    assert divided.held_out == len(documents) >= 3
    assert divided.kept == before.kept == 4
    assert old != new
    # What a document held out before is divided again.
    assert {part[0] for part in new[0][0]} == {T, H}
    # Again from there: the same.
    decide_paragraphs(tmp_path, 2, division(), share=0.15, seed=0)
    assert states_of(tmp_path, shards) == new
    decide_paragraphs(tmp_path, 2, division(), share=0.15, seed=1)
    assert states_of(tmp_path, shards) != new


def test_runs_do_not_depend_on_the_cut_into_shards(tmp_path: Path) -> None:
    texts: list[Text] = [(f"d{number}", False, book(number, 120)) for number in range(5)]
    found = []
    for name, shards in (("one", [texts]), ("three", [texts[:1], [], texts[1:]])):
        for number, some in enumerate(shards):
            write(tmp_path / name, number, some)
        decide_documents(tmp_path / name, len(shards), None, division=division())
        decide_paragraphs(tmp_path / name, len(shards), division(), share=0.18, seed=0)
        found.append([document for shard in states_of(tmp_path / name, shards) for document in shard])
    assert found[0] == found[1]


def test_runs_are_those_of_a_corpus_without_what_was_dropped(tmp_path: Path) -> None:
    shared, own = book(0, 300), book(1, 350)
    whole: list[Text] = [
        ("a", False, shared),
        ("b", False, [part for pair in zip(shared, own, strict=False) for part in pair] + own),
    ]
    left: list[Text] = [("a", False, shared), ("b", False, own)]
    found = []
    for name, texts in (("whole", whole), ("left", left)):
        write(tmp_path / name, 0, texts)
        decide_documents(tmp_path / name, 1, duplicates_of(tmp_path / name, [texts]), division=division())
        decide_paragraphs(tmp_path / name, 1, division(), share=0.2, seed=0)
        states = states_of(tmp_path / name, [texts])[0]
        found.append([part for document in states for part in document if part[0] != D])
    assert found[0] == found[1]
    assert len(found[0]) == 650


def test_a_corpus_too_small_for_runs_keeps_its_decisions(tmp_path: Path) -> None:
    texts: list[Text] = [("a", True, book(0, 100))]
    write(tmp_path, 0, texts)
    decide_documents(tmp_path, 1, None, division=division())
    content = numbered(tmp_path, DECIDE, 0, suffix=".npz").read_bytes()
    with pytest.raises(DataError, match="too small for a held-out part: 2,000 words"):
        decide_paragraphs(tmp_path, 1, division(), share=0.1, seed=0)
    assert numbered(tmp_path, DECIDE, 0, suffix=".npz").read_bytes() == content


@pytest.mark.parametrize("side", [T, H])
def test_all_on_one_side(tmp_path: Path, side: int) -> None:
    shards: list[list[Text]] = [[("a", True, [["A.", "B."], ["C."]])], [], [("b", False, [["D."]])]]
    for number, texts in enumerate(shards):
        write(tmp_path, number, texts)
    decide_all(tmp_path, 3, side)
    assert states_of(tmp_path, shards) == [[[[side, side], [side]]], [], [[[side]]]]
    assert all(read_decision(tmp_path, number).reason(0) == "" for number in (0, 2))
    assert len(read_decision(tmp_path, 0).paragraphs) == 0


def test_a_decision_comes_back_and_has_the_same_bytes(tmp_path: Path) -> None:
    decision = Decision(np.array([0, 3], np.uint8), np.array([[1, 4]], np.int64), np.array([1, 2, 0], np.uint8))
    write_decision(tmp_path, 7, decision)
    content = numbered(tmp_path, DECIDE, 7, suffix=".npz").read_bytes()
    found = read_decision(tmp_path, 7)
    assert found.documents.tolist() == [0, 3]
    assert found.paragraphs.tolist() == [[1, 4]]
    assert found.sentences.tolist() == [1, 2, 0]
    assert [found.reason(document) for document in range(2)] == ["", "duplicate paragraphs"]
    write_decision(tmp_path, 7, found)
    assert numbered(tmp_path, DECIDE, 7, suffix=".npz").read_bytes() == content


def test_clusters_have_the_ids_of_their_documents(tmp_path: Path) -> None:
    shards: list[list[Text]] = [
        [(f'{number}"{place}\n名', False, [["A."]]) for place in range(number % 3)] for number in range(40)
    ]
    for number, texts in enumerate(shards):
        write(tmp_path, number, texts)
    ids = [name for texts in shards for name, _, _ in texts]
    clusters = [
        Cluster("duplicate", 0, [len(ids) - 1, 5, 0]),
        Cluster("near-duplicate", len(ids) - 1, list(range(len(ids))), 0.75),
    ]
    rows = list(name_clusters(tmp_path, [len(texts) for texts in shards], clusters))
    assert rows == [
        {"kind": "duplicate", "similarity": 1.0, "kept": ids[0], "dropped": [ids[-1], ids[5], ids[0]]},
        {"kind": "near-duplicate", "similarity": 0.75, "kept": ids[-1], "dropped": ids},
    ]
    lines = json_lines(rows)
    assert lines.count("\n") == 2
    assert [json.loads(line) for line in lines.splitlines()] == rows

"""The held-out part: contiguous runs that cover every document once, of the share that was asked for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bertsmith.corpus.splitting import (
    MIN_TOKENS,
    Run,
    document_spans,
    is_held_out,
    read_ids,
)
from bertsmith.errors import DataError
from bertsmith.tokenization.unspaced import count_words

Documents = list[tuple[str, list[int], list[int]]]


def corpus(paragraphs_of_documents: list[list[list[int]]]) -> Documents:
    """Documents of paragraphs of sentences, each sentence given by its number of words."""
    return [
        (f"d{number}", [len(paragraph) for paragraph in paragraphs], [words for part in paragraphs for words in part])
        for number, paragraphs in enumerate(paragraphs_of_documents)
    ]


def held_words(documents: Documents, divided: list[list[Run]]) -> int:
    return sum(
        sum(words[run.start : run.stop])
        for (_, _, words), runs in zip(documents, divided, strict=True)
        for run in runs
        if run.held_out
    )


documents_of_any_shape = st.lists(
    st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=30), min_size=1, max_size=40), min_size=1, max_size=30
)


@given(documents_of_any_shape, st.floats(0.001, 0.5), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_runs_of_documents_of_any_shape(shapes: list[list[list[int]]], share: float, seed: int) -> None:
    documents = corpus(shapes)
    total = sum(sum(words) for _, _, words in documents)
    assume(total >= 12_600)
    divided = document_spans(documents, share, seed)
    for (_, _, words), runs in zip(documents, divided, strict=True):
        assert runs[0].start == 0
        assert runs[-1].stop == len(words)
        assert all(run.start < run.stop for run in runs)
        assert all(one.stop == two.start and one.held_out != two.held_out for one, two in pairwise(runs))
    held = held_words(documents, divided)
    asked = max(share, MIN_TOKENS * 1.05 / total) * total
    assert held >= MIN_TOKENS
    largest = max(sum(words) for shape in shapes for words in shape)
    assert abs(held - asked) <= max(largest / 2, 0.2 * asked) + 1
    assert document_spans(documents, share, seed) == divided


@given(st.lists(st.integers(1, 4), min_size=60, max_size=200), st.integers(0, 5))
def test_paragraphs_stay_whole_where_there_are_many(lengths: list[int], seed: int) -> None:
    documents = corpus([[[60] * length for length in lengths] for _ in range(6)])
    ends = {0}
    for length in lengths:
        ends.add(max(ends) + length)
    for runs in document_spans(documents, 0.1, seed):
        assert {run.start for run in runs} | {run.stop for run in runs} <= ends


def test_a_paragraph_too_coarse_is_divided_by_sentences() -> None:
    documents = corpus([[*([1] for _ in range(70)), [20] * 700]])
    (runs,) = document_spans(documents, 0.02, 0)
    assert held_words(documents, [runs]) == pytest.approx(2_100, abs=20)


def test_other_seeds_hold_out_other_runs() -> None:
    documents = corpus([[[20, 20]] * 500])
    assert len({str(document_spans(documents, 0.05, seed)) for seed in range(5)}) == 5


def test_runs_lie_in_all_parts_of_a_document() -> None:
    documents = corpus([[[20, 20]] * 800])
    (runs,) = document_spans(documents, 0.1, 0)
    assert {run.start // 200 for run in runs if run.held_out} == set(range(8))


def test_documents_of_one_paragraph_give_their_share_together() -> None:
    documents = corpus([[[20, 20]]] * 1_000)
    assert held_words(documents, document_spans(documents, 0.07, 0)) == pytest.approx(2_800, abs=40)


@pytest.mark.parametrize("words", [0, 1, 742, 10_499])
def test_a_corpus_too_small(words: int) -> None:
    with pytest.raises(DataError, match=rf"too small for a held-out part: {words:,} words.* 10,500 words are needed"):
        document_spans(corpus([[[1]] * words]), 0.02, 0)


def test_ten_thousand_and_five_hundred_words_are_enough() -> None:
    documents = corpus([[[1]] * 10_500])
    assert 2_000 <= held_words(documents, document_spans(documents, 0.02, 0)) <= 2_100


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("It is so.", 3),
        ("", 0),
        ("他走了。", 4),
        ("a他b", 3),
        ("naïve café", 2),
        ("ひらが", 1),
        ("ひらがな", 2),
        ("น้ำเย็นมาก ๆ", 4),
        ("𠀀㐀豈", 3),
    ],
)
def test_words_of_a_sentence(sentence: str, words: int) -> None:
    assert count_words(sentence) == words


@given(st.text(max_size=30), st.floats(0, 0.5), st.floats(0, 0.5), st.integers(0, 9))
def test_a_document_held_out_stays_so_when_the_share_grows(name: str, one: float, two: float, seed: int) -> None:
    assert is_held_out(name, min(one, two), seed) <= is_held_out(name, max(one, two), seed)


def test_the_hash_holds_out_its_share_and_depends_on_the_seed() -> None:
    held = {seed: {number for number in range(20_000) if is_held_out(f"d{number}", 0.05, seed)} for seed in (0, 1)}
    assert len(held[0]) == pytest.approx(1_000, abs=100)
    assert len(held[0] & held[1]) < 100
    # A value written down: another version of bertsmith must hold out the same documents.
    assert sorted(held[0])[:5] == [13, 42, 54, 68, 75]


def test_a_file_of_ids(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_bytes("\ufeffa\r\n b c \n\n名#1\u2028\n".encode())
    assert read_ids(file) == {"a", "b c", "名#1"}
    file.write_bytes(b"\n")
    with pytest.raises(DataError, match="no document id in this file"):
        read_ids(file)
    file.write_bytes(b"\xff")
    with pytest.raises(DataError, match="cannot be read as lines of document ids"):
        read_ids(file)

"""Chunks: joining restores the sentences, and the dictionary has each chunk once."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus import chunks as module
from bertsmith.corpus.chunks import Chunks, split_chunks

few = st.sampled_from(["the", "The", "a", ".", "他", "e\u0301", "é"])
anything = st.text(st.characters(exclude_characters=" \n", exclude_categories=("Cs",)), min_size=1, max_size=8)
sentences = st.lists(st.lists(few | anything, min_size=1, max_size=8).map(" ".join), max_size=12)


def joined(chunks: Chunks) -> list[str]:
    """Join chunks the slow way."""
    texts, start = [], 0
    for length in chunks.lengths.tolist():
        texts.append(" ".join(chunks.dictionary[code] for code in chunks.codes[start : start + length].tolist()))
        start += length
    assert start == len(chunks.codes)
    return texts


@given(sentences)
def test_the_text_comes_back_by_joining(sentences: list[str]) -> None:
    found = split_chunks(sentences)
    assert joined(found) == sentences
    # Each distinct chunk once, in order of first occurrence.
    assert found.dictionary == list(dict.fromkeys(chunk for text in sentences for chunk in text.split(" ")))
    assert (found.codes.dtype, found.lengths.dtype) == (np.int32, np.int64)


@given(sentences)
def test_the_same_where_offsets_have_64_bits(sentences: list[str]) -> None:
    expected = split_chunks(sentences)
    with pytest.MonkeyPatch.context() as patch:
        # Only its length makes this text 2 GiB.
        patch.setattr(module, "len", lambda x: 2**31 if isinstance(x, bytes) else builtins.len(x), raising=False)
        patch.setattr(module.pa, "StringArray", None)
        found = split_chunks(sentences)
    assert found.dictionary == expected.dictionary
    assert np.array_equal(found.codes, expected.codes)
    assert np.array_equal(found.lengths, expected.lengths)
    assert found.codes.dtype == np.int32


def test_no_sentence_and_sentences_of_one_chunk() -> None:
    none = split_chunks([])
    assert (none.dictionary, len(none.codes), len(none.lengths)) == ([], 0, 0)
    assert (none.codes.dtype, none.lengths.dtype) == (np.int32, np.int64)
    found = split_chunks(["b", "a", "b"])
    assert found.dictionary == ["b", "a"]
    assert found.codes.tolist() == [0, 1, 0]
    assert found.lengths.tolist() == [1, 1, 1]


def test_only_a_plain_space_parts_chunks() -> None:
    text = "no\u00a0break thin\u2009space tab\there line\u2028end form\x0cfeed nul\x00byte carriage\rreturn"
    found = split_chunks([text])
    assert found.dictionary == text.split(" ")
    assert joined(found) == [text]


def test_forms_that_look_alike_stay_apart() -> None:
    assert split_chunks(["é e\u0301 É É é"]).codes.tolist() == [0, 1, 2, 2, 0]

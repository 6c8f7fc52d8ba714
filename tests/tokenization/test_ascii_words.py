"""NumPy finds the same words of printable ASCII as BERT's normalizer and pre-tokenizer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from bertsmith.tokenization.ascii_words import split_plain
from bertsmith.tokenization.word_counts import LONGEST_WORD, count_words_of

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
words_and_marks = st.text("abYZ09.,'-_$^`~", max_size=12)
# A chunk has no plain space and no line break, but can have any other character.
anything = st.text(st.characters(exclude_characters=" \n", exclude_categories=("Cs",)), max_size=8)
unusual = st.text("aA\t\r\x00\x0b\x1c\x7f\x85\u00a0\u2028\u3000é\u0301İΣß他한๑😀\ufffd\u200b", max_size=8)
any_chunks = st.lists(printable | words_and_marks | anything | unusual, max_size=20)


def slow_words(text: str, *, lowercase: bool, strip_accents: bool | None = None) -> list[str]:
    """The reference: one chunk at a time."""
    normalized = BertNormalizer(lowercase=lowercase, strip_accents=strip_accents).normalize_str(text)
    return [word for word, _ in BertPreTokenizer().pre_tokenize_str(normalized)]


@given(any_chunks, st.booleans())
@settings(max_examples=300)
@example([""], True)
@example(["", "", "a", ""], False)
@example(["é"], True)
@example(["a", "é", "b"], True)
@example(["aé", "b.c"], True)
@example(["\x7f", "~"], False)
@example(["ab", "cd"], False)
def test_words_of_printable_ascii(chunks: list[str], lowercase: bool) -> None:
    plain, words, counts = split_plain(chunks, lowercase=lowercase)
    assert plain.tolist() == [all("!" <= character <= "~" for character in chunk) for chunk in chunks]
    expected = [
        slow_words(chunk, lowercase=lowercase) for chunk, found in zip(chunks, plain.tolist(), strict=True) if found
    ]
    assert words.to_pylist() == [word for found in expected for word in found]
    assert counts.tolist() == [len(found) for found in expected]
    assert len(words.dictionary.unique()) == len(words.dictionary)
    assert (plain.dtype, counts.dtype) == (bool, np.int64)


@pytest.mark.parametrize("lowercase", [True, False])
def test_every_pair_of_ascii_characters(lowercase: bool) -> None:
    characters = [chr(number) for number in range(128) if chr(number) not in " \n"]
    chunks = [one + two for one in characters for two in characters]
    plain, words, counts = split_plain(chunks, lowercase=lowercase)
    chosen = [chunk for chunk, found in zip(chunks, plain.tolist(), strict=True) if found]
    assert len(chosen) == 94**2
    expected = slow_words(" ".join(chosen), lowercase=lowercase)
    assert words.to_pylist() == expected
    assert counts.sum() == len(expected)


@given(any_chunks, st.booleans(), st.sampled_from([None, True, False]), st.data())
@settings(max_examples=300)
def test_counts_are_those_of_tokenizers(
    chunks: list[str], lowercase: bool, strip_accents: bool | None, data: st.DataObject
) -> None:
    counts = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 2**40]), min_size=len(chunks), max_size=len(chunks)))
    expected: Counter[str] = Counter()
    for chunk, count in zip(chunks, counts, strict=True):
        for word in slow_words(chunk, lowercase=lowercase, strip_accents=strip_accents):
            expected[word] += count
    found = count_words_of(chunks, np.array(counts, np.int64), lowercase=lowercase, strip_accents=strip_accents)
    assert found == {word: count for word, count in expected.items() if count}
    assert all(type(count) is int for count in found.values())


def test_a_word_is_counted_whether_it_was_ascii_or_became_it() -> None:
    found = count_words_of(["Cafe", "café", "cafe.", "CAFÉ"], np.array([1, 20, 300, 0]), lowercase=True)
    assert found == {"cafe": 321, ".": 300}
    assert count_words_of(["Cafe", "café"], np.array([1, 2]), lowercase=False) == {"Cafe": 1, "café": 2}


@pytest.mark.parametrize("letter", ["x", "ж"])
def test_words_too_long_are_left_out(letter: str) -> None:
    chunks = [letter * LONGEST_WORD, letter * (LONGEST_WORD + 1), f"{letter * 60}.{letter * 60}"]
    found = count_words_of(chunks, np.array([1, 2, 4]), lowercase=True)
    assert found == {letter * LONGEST_WORD: 1, letter * 60: 8, ".": 4}


def test_many_chunks_of_one_count_go_through_tokenizers_together() -> None:
    chunks = [f"é{number}" for number in range(5_000)]
    found = count_words_of(chunks, np.full(5_000, 3), lowercase=True)
    assert found == {f"e{number}": 3 for number in range(5_000)}


def test_nothing_to_count() -> None:
    assert count_words_of([], np.zeros(0, np.int64), lowercase=True) == {}
    assert count_words_of(["a", "é"], np.zeros(2, np.int64), lowercase=True) == {}
    plain, words, counts = split_plain([], lowercase=True)
    assert (len(plain), words.to_pylist(), len(counts)) == (0, [], 0)

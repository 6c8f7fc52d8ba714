"""Fingerprints against slow references: words by loops over characters, similarity by sets of word pairs."""

from __future__ import annotations

import string
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from unicodedata import category

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.fingerprints import (
    BANDS,
    KEY,
    PERMUTATIONS,
    band_keys,
    document_digest,
    hash_words_of_chunks,
    signatures,
    sorted_keys,
    text_hash,
    write_array,
)
from bertsmith.runtime.ragged import sums

A_BAND = PERMUTATIONS // BANDS
COUNTED = set(string.digits + string.ascii_lowercase)
LOWERED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
UNSPACED = (
    *((0x0E00, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x1B00, 0x1B7F), (0x3040, 0x312F)),
    *((0x31A0, 0x31BF), (0x31F0, 0x31FF), (0xA000, 0xA4CF), (0xA980, 0xA9FF), (0xAA60, 0xAA7F), (0xAA80, 0xAADF)),
    *((0xFF66, 0xFF9F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD)),
)
IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))
VOCABULARY = [f"{first}{last}" for first in ("ba", "co", "du", "fi", "lo", "me") for last in ("rn", "st", "ng", "ll")]


def is_among(character: str, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


def slow_words(chunk: str) -> list[str]:
    """The words of a chunk: in a script without spaces a run from each character, otherwise its counted characters."""
    if any(is_among(character, UNSPACED) for character in chunk):
        text = [
            character
            for character in chunk
            if character.isalnum() or (is_among(character, UNSPACED) and category(character) in ("Mn", "Mc"))
        ]
        if text:
            return [
                "".join(text[place : place + (4 if is_among(one, UNSPACED) and not is_among(one, IDEOGRAPHS) else 1)])
                for place, one in enumerate(text)
            ]
    lowered = chunk.translate(LOWERED)
    return ["".join(character for character in lowered if character in COUNTED or not character.isascii())]


def pairs_of(text: str) -> set[tuple[str, str]]:
    """Pairs of neighbouring words; the last word has no successor."""
    words = [word for chunk in text.split(" ") if chunk for word in slow_words(chunk)]
    return set(pairwise([*words, ""])) if words else set()


def jaccard(one: str, two: str) -> float:
    """Pairs in both texts divided by pairs in either."""
    return len(pairs_of(one) & pairs_of(two)) / len(pairs_of(one) | pairs_of(two))


def signatures_of(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The signatures of texts in one shard; an empty text is a document without chunks."""
    filled = [text for text in texts if text]
    chunks = split_chunks(filled)
    lengths = iter(chunks.lengths.tolist())
    sizes = np.array([next(lengths) if text else 0 for text in texts], np.int64)
    hashes, words = hash_words_of_chunks(chunks.dictionary)
    return signatures(hashes, words, codes=chunks.codes, chunks=sizes), sums(words[chunks.codes], sizes)


def estimate(rows: np.ndarray, one: int, two: int) -> float:
    return float(np.mean(rows[one] == rows[two]))


def words_in_a_row(draw: Random, count: int) -> list[str]:
    return [f"{draw.choice(VOCABULARY)}{draw.randrange(100)}" for _ in range(count)]


def changed(words: Sequence[str], share: float, draw: Random) -> list[str]:
    """The same words, with a share of them replaced."""
    return [f"new{draw.randrange(10**6)}" if draw.random() < share else word for word in words]


# Words


def word_lists(dictionary: Sequence[str]) -> list[list[int]]:
    """The word hashes of each entry."""
    hashes, lengths = hash_words_of_chunks(dictionary)
    assert (hashes.dtype, lengths.dtype) == (np.uint64, np.int64)
    assert lengths.sum() == len(hashes)
    ends = np.cumsum(lengths)
    return [hashes[end - length : end].tolist() for end, length in zip(ends, lengths, strict=True)]


ascii_chunks = st.text("abAB01.,'-\"", min_size=1, max_size=6) | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8
)
foreign = st.text("éÉßΣя’—한글aA.", min_size=1, max_size=5)
# Without ASCII letters: see `test_case_is_ignored_beside_characters_without_spaces`.
unspaced = st.text("他走了。ひらカー・ไทยกั๑3,", min_size=1, max_size=5)
any_chunk = st.text(
    st.characters(exclude_characters=" \n", exclude_categories=("Cs",)).filter(
        lambda character: not any(first <= ord(character) <= last for first, last in UNSPACED)
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(ascii_chunks | foreign | unspaced | any_chunk, max_size=30, unique=True))
@example(["---", "..."])
@example(["a", "'", "b"])
@example(["ั", "・", "x"])
@example(["A\x00b", "ab"])
def test_equal_words_have_equal_hashes_and_no_others(dictionary: list[str]) -> None:
    found = word_lists(dictionary)
    expected = [slow_words(chunk) for chunk in dictionary]
    assert [len(words) for words in found] == [len(words) for words in expected]
    # Characters of scripts without spaces are hashed differently, so words are compared within each kind.
    for kind in (True, False):
        hash_of: dict[str, set[int]] = {}
        for chunk, hashes, words in zip(dictionary, found, expected, strict=True):
            if (words != slow_words_of_spaced(chunk)) == kind:
                for number, word in zip(hashes, words, strict=True):
                    hash_of.setdefault(word, set()).add(number)
        assert all(len(numbers) == 1 for numbers in hash_of.values())
        assert len(set().union(*hash_of.values())) == len(hash_of)


def slow_words_of_spaced(chunk: str) -> list[str] | None:
    """The only word of a chunk that is not split into characters; None for other chunks."""
    return (
        None
        if any(first <= ord(character) <= last for character in chunk for first, last in UNSPACED)
        else slow_words(chunk)
    )


@given(st.lists(ascii_chunks | foreign | unspaced, max_size=20), st.randoms(use_true_random=False))
def test_the_words_of_a_chunk_do_not_depend_on_its_place(dictionary: list[str], draw: Random) -> None:
    order = list(range(len(dictionary)))
    draw.shuffle(order)
    found = word_lists(dictionary)
    assert word_lists([dictionary[place] for place in order]) == [found[place] for place in order]
    assert [words for chunk in dictionary for words in word_lists([chunk])] == found


def test_the_empty_dictionary() -> None:
    assert word_lists([]) == []


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("Don't", "dont", True),
        ("«Don't»", "«dont»", True),
        ("(Sea!)", "sEA", True),
        ("U.S.A.", "usa", True),
        ("naïve", "NAïVE", True),
        ("naïve", "NAÏVE", False),  # lowercases ASCII only
        ("dont", "don’t", False),
        ("ab", "ba", False),
        ("a", "aa", False),
        ("10", "1.0", True),
        ("aB" * 5_000, "Ab" * 5_000, True),
        ("ab" * 5_000, "ab" * 5_000 + "b", False),
    ],
)
def test_case_and_marks_of_ascii_are_ignored(one: str, two: str, same: bool) -> None:
    first, second = word_lists([one, two])
    assert (first == second) is same


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        ("他走了。", ["他", "走", "了"]),
        ("ひらが、ナ", ["ひらがナ", "らがナ", "がナ", "ナ"]),
        ("น้ำเย็น", ["น้ำเ", "้ำเย", "ำเย็", "เย็น", "ย็น", "็น", "น"]),
        ("၁၂", ["၁၂", "၂"]),
        ("ང་བོད", ["ངབོད", "བོད", "ོད", "ད"]),
        ("食べる3", ["食", "べる3", "る3", "3"]),
        ("𠀀㐀", ["𠀀", "㐀"]),
    ],
)
def test_runs_of_letters_are_the_words_of_scripts_without_spaces(chunk: str, words: list[str]) -> None:
    (found,) = word_lists([chunk])
    assert found == [text_hash(word) for word in words]


def test_korean_is_written_with_spaces() -> None:
    assert [len(words) for words in word_lists(["나는", "학교에"])] == [1, 1]


def test_case_is_ignored_beside_characters_without_spaces() -> None:
    one, two = word_lists(["AI技术", "ai技术"])
    assert one == two


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=20, unique=True))
def test_texts_have_hashes_of_their_own(texts: list[str]) -> None:
    hashes = [text_hash(text) for text in texts]
    assert len(set(hashes)) == len(texts)
    assert all(0 < number < 2**64 for number in hashes)
    assert [text_hash(text) for text in texts] == hashes


def test_the_hash_of_a_text_is_never_0(monkeypatch: pytest.MonkeyPatch) -> None:
    import xxhash

    monkeypatch.setattr(xxhash, "xxh3_64_intdigest", lambda _: 0)
    assert text_hash("x") == 1


def test_the_digest_of_a_document_knows_its_paragraphs() -> None:
    digests = [document_digest(parts) for parts in (("a b",), ("a", "b"), ("ab",), ("b", "a"), ("A b",), ())]
    assert len(set(digests)) == len(digests)
    assert all(0 <= digest < 2**64 for digest in digests)
    assert document_digest(["a", "b"]) == document_digest(("a", "b"))
    # A constant, because several machines may write the shards of one run.
    assert document_digest(("It is a truth", "universally acknowledged")) == 0xBA22ACFD60B08275


# Signatures


@pytest.mark.parametrize("share", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0])
def test_the_estimate_is_the_similarity_on_pairs_of_words(share: float) -> None:
    draw = Random(int(share * 100))
    texts: list[str] = []
    for _ in range(40):
        words = words_in_a_row(draw, draw.choice([30, 100, 400]))
        texts += [" ".join(words), " ".join(changed(words, share, draw))]
    rows, counts = signatures_of(texts)
    assert rows.shape == (80, PERMUTATIONS)
    assert (rows.dtype, counts.dtype) == (np.uint32, np.int64)
    assert counts.tolist() == [len(text.split(" ")) for text in texts]
    errors = [estimate(rows, place, place + 1) - jaccard(*texts[place : place + 2]) for place in range(0, 80, 2)]
    # The standard error of one estimate is at most 0.044, of the mean of forty 0.007; the draws are fixed.
    assert max(map(abs, errors)) < 0.15
    assert abs(sum(errors) / len(errors)) < 0.025
    if share in (0.0, 1.0):
        assert all(estimate(rows, place, place + 1) == 1.0 - share for place in range(0, 80, 2))


def test_one_word_in_ten_changed_keeps_the_similarity_that_the_thresholds_count_on() -> None:
    draw = Random(7)
    found = []
    for _ in range(30):
        words = words_in_a_row(draw, 500)
        found.append(jaccard(" ".join(words), " ".join(changed(words, 0.1, draw))))
    assert sum(found) / len(found) == pytest.approx(0.68, abs=0.02)


def test_order_counts() -> None:
    draw = Random(1)
    words = [f"w{number}" for number in range(400)]
    shuffled = draw.sample(words, len(words))
    rows, _ = signatures_of([" ".join(words), " ".join(shuffled)])
    assert estimate(rows, 0, 1) < 0.05


texts_of_few_words = st.lists(
    st.lists(st.sampled_from(["a", "B", "sea", "Sea,", "他走", "了。", "é", "ไทย"]), max_size=8).map(" ".join),
    max_size=8,
)


@given(texts_of_few_words, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_a_signature_depends_on_the_text_alone(texts: list[str], draw: Random) -> None:
    rows, counts = signatures_of(texts)
    assert rows.shape == (len(texts), PERMUTATIONS)
    # Other texts in the shard change the order of the dictionary.
    for text, row, count in zip(texts, rows, counts, strict=True):
        order = ["Some other text.", *texts, text]
        draw.shuffle(order)
        other_rows, other_counts = signatures_of(order)
        assert np.array_equal(other_rows[order.index(text)], row)
        assert other_counts[order.index(text)] == count == sum(len(slow_words(chunk)) for chunk in text.split())
    for one in range(len(texts)):
        for two in range(one):
            same = pairs_of(texts[one]) == pairs_of(texts[two])
            assert np.array_equal(rows[one], rows[two]) == same, (texts[one], texts[two])


def test_the_order_of_the_dictionary_changes_nothing() -> None:
    draw = Random(3)
    texts = [" ".join(words_in_a_row(draw, 60)) + " 他走了。" for _ in range(5)]
    chunks = split_chunks(texts)
    order = np.array(draw.sample(range(len(chunks.dictionary)), len(chunks.dictionary)))
    new_place = np.argsort(order)
    rows = signatures(*hash_words_of_chunks(chunks.dictionary), codes=chunks.codes, chunks=chunks.lengths)
    shuffled = [chunks.dictionary[place] for place in order]
    again = signatures(*hash_words_of_chunks(shuffled), codes=new_place[chunks.codes], chunks=chunks.lengths)
    assert np.array_equal(rows, again)


def test_case_and_marks_do_not_change_a_signature() -> None:
    rows, _ = signatures_of(
        [
            'He said: "It is a (very) cold night, isn\'t it?"',
            "he said it is a very cold night isnt it",
            "he said it is a very cold day isnt it",
        ]
    )
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])


@pytest.mark.parametrize(
    "alphabet",
    [
        pytest.param([chr(0x4E00 + 7 * number) for number in range(900)], id="Chinese"),
        pytest.param([chr(number) for number in range(0x3041, 0x3097)], id="Japanese"),
        pytest.param([chr(number) for number in range(0x0E01, 0x0E2F)], id="Thai"),
    ],
)
def test_near_copies_without_spaces_are_found(alphabet: list[str]) -> None:
    draw = Random(5)
    characters = draw.choices(alphabet, k=600)
    copy = [draw.choice(alphabet) if draw.random() < 0.05 else character for character in characters]
    other = draw.choices(alphabet, k=600)
    # Different line breaks, and so different chunk borders, change nothing.
    texts = [
        "。 ".join("".join(text[at : at + size]) for at in range(0, 600, size))
        for text, size in ((characters, 40), (copy, 55), (other, 40))
    ]
    rows, counts = signatures_of(texts)
    assert counts.tolist() == [600] * 3
    assert estimate(rows, 0, 1) == pytest.approx(jaccard(texts[0], texts[1]), abs=0.12)
    assert estimate(rows, 0, 1) > estimate(rows, 0, 2) + 0.2
    keys = band_keys(rows, np.arange(3))
    groups = [set(keys["document"][keys["hash"] == number].tolist()) for number in np.unique(keys["hash"])]
    assert any({0, 1} <= group for group in groups)


def test_documents_of_no_word_and_no_documents() -> None:
    rows, counts = signatures_of(["", "one two", "", ""])
    assert counts.tolist() == [0, 2, 0, 0]
    assert np.array_equal(rows[0], rows[2])
    assert np.array_equal(rows[0], rows[3])
    assert np.array_equal(rows[1], signatures_of(["one two"])[0][0])
    assert not (rows[0] == rows[1]).any()
    none, no_counts = signatures_of([])
    assert (none.shape, none.dtype, no_counts.shape) == ((0, PERMUTATIONS), np.uint32, (0,))
    only_empty, _ = signatures_of(["", ""])
    assert np.array_equal(only_empty, rows[[0, 2]])


# Keys


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.lists(st.integers(0, 3), min_size=PERMUTATIONS, max_size=PERMUTATIONS), min_size=1, max_size=4),
)
@settings(max_examples=50)
def test_equal_bands_have_equal_keys_and_no_others(offset: int, rows: list[list[int]]) -> None:
    # Few distinct values, so that bands agree; large values, so that all 32 bits matter.
    values = ((np.array(rows, np.uint64) * np.uint64(0x9E3779B1) + np.uint64(offset)) % np.uint64(2**32)).astype(
        np.uint32
    )
    chosen = np.arange(len(rows))
    keys = band_keys(values, chosen)
    assert (keys.dtype, len(keys)) == (KEY, BANDS * len(rows))
    assert np.all(keys["hash"][1:] >= keys["hash"][:-1])
    groups: dict[int, list[int]] = {}
    for number, document, paragraph in keys.tolist():
        groups.setdefault(number, []).append(document)
        assert paragraph == 0
    expected: dict[tuple[int, ...], list[int]] = {}
    for document in chosen.tolist():
        for band in range(BANDS):
            some = values[document, band * A_BAND : (band + 1) * A_BAND].tolist()
            expected.setdefault((band, *some), []).append(document)
    assert sorted(groups.values()) == sorted(expected.values())


def test_keys_of_chosen_documents_bear_their_numbers() -> None:
    rows, _ = signatures_of(["one two three", "four", "one two three", "five six"])
    whole, some = band_keys(rows, np.arange(4)), band_keys(rows, np.array([0, 2, 3]))
    assert np.array_equal(some, whole[whole["document"] != 1])
    none = band_keys(rows, np.zeros(0, np.int64))
    assert (none.dtype, len(none)) == (KEY, 0)


@given(st.lists(st.tuples(st.integers(0, 3) | st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)), max_size=40))
def test_keys_are_sorted_and_equal_ones_keep_their_order(pairs: list[tuple[int, int]]) -> None:
    hashes = np.array([number for number, _ in pairs], np.uint64)
    documents = np.array([document for _, document in pairs], np.int64)
    keys = sorted_keys(hashes, documents, np.arange(len(pairs)))
    expected = sorted(((number, document, place) for place, (number, document) in enumerate(pairs)), key=lambda k: k[0])
    assert keys.tolist() == expected


def test_arrays_come_back(tmp_path: Path) -> None:
    for number, array in enumerate((sorted_keys(np.zeros(0, np.uint64), np.zeros(0)), signatures_of(["a b"])[0])):
        path = tmp_path / "new" / f"{number}.npy"
        write_array(path, array)
        found = np.load(path)
        assert np.array_equal(found, array)
        assert found.dtype == array.dtype
        assert len(list(path.parent.iterdir())) == number + 1


# Processes


def test_a_process_that_is_forked_after_the_first_signatures_makes_its_own(tmp_path: Path) -> None:
    """rensa's threads are not inherited: with more than one thread the child would wait forever."""
    script = tmp_path / "forks.py"
    script.write_text(
        "import os, signal\n"
        "import numpy as np\n"
        "from bertsmith.corpus.fingerprints import signatures\n"
        "row = np.arange(40_000, dtype=np.int32) % 999\n"
        "def make():\n"
        "    hashes, ones = np.arange(999, dtype=np.uint64), np.ones(999, np.int64)\n"
        "    return signatures(hashes, ones, codes=row, chunks=np.full(2_000, 20)).tobytes()\n"
        "first = make()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(30)\n"
        "    os._exit(0 if make() == first else 1)\n"
        "raise SystemExit(os.waitpid(child, 0)[1])\n"
    )
    assert subprocess.run([sys.executable, script], check=False, timeout=60).returncode == 0

"""The vocabulary equals the result of slowly recounting all pairs, and depends only on word counts."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertsmith.errors import DataError, OptionError
from bertsmith.tokenization.alphabet import covering_alphabet
from bertsmith.tokenization.word_counts import count_chunks, words_of_chunks
from bertsmith.tokenization.wordpiece import train_wordpiece
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

PREAMBLE = (
    "We hold these truths to be self-evident, that all men are created equal, that they are endowed by their "
    "Creator with certain unalienable Rights, that among these are Life, Liberty and the pursuit of "
    "Happiness. That to secure these rights, Governments are instituted among Men, deriving their just powers "
    "from the consent of the governed. Ça dépend: où l'été naïf s'achève, 東京 commence."
)
PREAMBLE_SHA256 = "8849d230b59587e51d85da91561fb1806630d96e1f4249ca658953f2412cdc43"


def words_of(*texts: str, lowercase: bool = True) -> dict[str, int]:
    return words_of_chunks(count_chunks(texts), lowercase=lowercase)


def slow_vocabulary(words: dict[str, int], *, min_frequency: int, alphabet_size: int) -> list[str]:
    """The longest vocabulary that the words support, from recounting every pair before every merge."""
    totals: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            totals[character] += count
    alphabet = sorted(totals, key=lambda character: (-totals[character], character))[:alphabet_size]
    vocabulary = list(SPECIAL_TOKENS)
    for character in alphabet:
        if any(word[0] == character for word in words):
            vocabulary.append(character)
        if any(character in word[1:] for word in words):
            vocabulary.append("##" + character)
    segmented = [
        ([word[0], *("##" + character for character in word[1:])], count)
        for word, count in words.items()
        if set(word) <= set(alphabet) and not word.startswith("##")
    ]
    while True:
        pairs: Counter[tuple[str, str]] = Counter()
        for pieces, count in segmented:
            for pair in pairwise(pieces):
                pairs[pair] += count
        if not pairs or max(pairs.values()) < min_frequency:
            return vocabulary
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merged = left + right.removeprefix("##")
        for pieces, _ in segmented:
            for start in range(len(pieces)):
                if pieces[start : start + 2] == [left, right]:
                    pieces[start : start + 2] = [merged]
        assert merged not in vocabulary or merged in SPECIAL_TOKENS, "two pairs make one piece"
        if merged not in vocabulary:
            vocabulary.append(merged)


def longest_match(word: str, vocabulary: set[str]) -> list[str] | None:
    pieces: list[str] = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in vocabulary:
                pieces.append(prefix + word[start:end])
                start = end
                break
        else:
            return None
    return pieces


def largest_vocabulary(words: dict[str, int], **options: int) -> list[str]:
    """Request too large a size, and then the size that the message names."""
    with pytest.raises(DataError, match="--vocab-size") as raised:
        train_wordpiece(words, vocab_size=10**6, **options)
    size = int(str(raised.value).split("expected at most ")[1].split(" ")[0])
    return train_wordpiece(words, vocab_size=size, **options)


# -- vocabulary, by hand -------------------------------------------------------------------------------------


def test_merges_by_hand() -> None:
    # characters: u 36, g 20, p 17, n 16, h 15, b 4, s 5; first letters: h, p, b; the rest continue
    words = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
    alphabet = ["##u", "##g", "p", "##n", "h", "##s", "b"]
    # pairs: u+g 20 -> then u+n 16 -> h+ug 15 -> p+un 12 -> hug+s 5, p+ug 5 (a tie: "hug" < "p") -> b+un 4
    merges = ["##ug", "##un", "hug", "pun", "hugs", "pug", "bun"]
    assert largest_vocabulary(words) == [*SPECIAL_TOKENS, *alphabet, *merges]


def test_ties_are_broken_by_text() -> None:
    words = {"zy": 2, "ab": 2, "az": 2, "b": 1, "Ab": 2}
    # characters: a 4, z 4 (first, then later), b 5, y 2, A 2: capital A has the smaller code point
    assert largest_vocabulary(words)[5:] == [
        "b", "##b", "a", "z", "##z", "A", "##y",
        "Ab", "ab", "az", "zy",
    ]  # fmt: skip


def test_both_forms_of_a_character_are_there_only_where_they_occur() -> None:
    assert largest_vocabulary({"aba": 1, ".": 9})[5:] == [".", "a", "##a", "##b"]


def test_runs_of_one_character_merge_from_the_left() -> None:
    # x a a a a a: (a, a) counts 4, as overlaps count -> x aa aa a: (aa, a), (aa, aa), (x, aa) count 1 each;
    # "##aa" is the smaller left text, "##a" the smaller right one -> x aa aaa -> x aaaaa -> xaaaaa
    assert largest_vocabulary({"xaaaaa": 1}, min_frequency=1)[5:] == [
        "##a", "x", "##aa", "##aaa", "##aaaaa", "xaaaaa",
    ]  # fmt: skip


def test_a_new_piece_next_to_itself() -> None:
    # ab ab ab ab is (ab, ab) three times with its overlaps, so it comes before (x, ab), which counts 2 here
    assert largest_vocabulary({"xabababab": 1, "xaby": 1}, min_frequency=1)[5:10] == [
        "##a", "##b", "x", "##y", "##ab",
    ]  # fmt: skip
    assert largest_vocabulary({"xabababab": 1, "xaby": 1}, min_frequency=1)[10] == "##abab"


def test_a_rare_character_takes_its_words_out_of_the_merges() -> None:
    words = {"ab": 5, "cbd": 9, "c": 1}
    # b 14, c 10 | d 9, a 5: with an alphabet of two, only words of b and c take part: none has a pair
    assert largest_vocabulary(words, alphabet_size=2)[5:] == ["##b", "c"]


def test_min_frequency_ends_the_merges() -> None:
    words = {"ab": 3, "cd": 2}
    assert largest_vocabulary(words, min_frequency=3)[-1] == "ab"
    assert largest_vocabulary(words, min_frequency=2)[-1] == "cd"


def test_special_tokens_are_free_and_never_doubled() -> None:
    words = {"[X]": 3, "a": 1}
    vocabulary = train_wordpiece(words, vocab_size=7, special_tokens=["<s>", "a", "[X]"])
    assert vocabulary == ["<s>", "a", "[X]", "##X", "[", "##]", "##X]"]


def test_words_that_look_like_continuing_pieces_keep_out() -> None:
    vocabulary = largest_vocabulary({"##ab": 9, "xab": 2})
    assert vocabulary[5:] == ["#", "###", "##a", "##b", "x", "##ab", "xab"]
    assert longest_match("##ab", set(vocabulary)) is not None


# -- sizes and errors ----------------------------------------------------------------------------------------


def test_too_large_a_size_names_the_largest() -> None:
    with pytest.raises(
        DataError, match=r"--vocab-size 30522: too large, expected at most 8 .* 2 times\. Try: a smaller --vocab-size"
    ):
        train_wordpiece({"ab": 2}, vocab_size=30_522)
    assert train_wordpiece({"ab": 2}, vocab_size=8)[5:] == ["a", "##b", "ab"]


def test_too_small_a_size_names_the_minimum() -> None:
    with pytest.raises(DataError, match=r"--vocab-size 6: too small, expected at least 7"):
        train_wordpiece({"ab": 2}, vocab_size=6)
    assert train_wordpiece({"ab": 2}, vocab_size=7)[5:] == ["a", "##b"]


def test_no_words_support_the_special_tokens_only() -> None:
    assert train_wordpiece({}, vocab_size=5) == list(SPECIAL_TOKENS)
    assert train_wordpiece({"": 3, "gone": 0}, vocab_size=5) == list(SPECIAL_TOKENS)
    with pytest.raises(DataError, match="expected at most 5 for the 0 distinct words"):
        train_wordpiece({}, vocab_size=6)


@pytest.mark.parametrize("options", [{"min_frequency": 0}, {"alphabet_size": 0}])
def test_options_below_one_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="at least 1"):
        train_wordpiece({"ab": 2}, vocab_size=8, **options)


def test_a_smaller_vocabulary_is_a_prefix_of_a_larger_one() -> None:
    words = words_of(PREAMBLE)
    largest = largest_vocabulary(words)
    assert len(largest) > 80
    for size in range(70, len(largest)):
        assert train_wordpiece(words, vocab_size=size) == largest[:size]


def test_advance_counts_up_to_the_size() -> None:
    generator = random.Random(5)
    words = {"".join(generator.choices("abcdefgh", k=6)): generator.randint(2, 9) for _ in range(400)}
    calls: list[tuple[int, int]] = []
    train_wordpiece(words, vocab_size=600, advance=lambda done, total: calls.append((done, total)))
    assert calls == [(256, 600), (512, 600), (600, 600)]


# -- against the slow reference ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_equals_recounting_all_pairs(seed: int) -> None:
    generator = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"[: generator.choice([1, 2, 3, 5, 26])]
    words = {
        "".join(generator.choices(letters, k=generator.randint(1, 9))): generator.choice([1, 1, 2, 3, 7, 50, 5000])
        for _ in range(generator.choice([1, 5, 60]))
    }
    options = {"min_frequency": generator.choice([1, 2, 5]), "alphabet_size": generator.choice([3, 1000])}
    expected = slow_vocabulary(words, **options)
    assert largest_vocabulary(words, **options) == expected
    size = generator.randint(len(expected) * 2 // 3, len(expected))
    try:
        assert train_wordpiece(words, vocab_size=size, **options) == expected[:size]
    except DataError as error:
        assert "at least" in str(error)


any_words = st.dictionaries(
    st.one_of(
        st.text(st.sampled_from("ab#"), min_size=1, max_size=12),
        st.text(min_size=1, max_size=12),
    ),
    st.integers(1, 1000),
    max_size=12,
)


@given(
    words=any_words,
    min_frequency=st.integers(1, 4),
    alphabet_size=st.integers(1, 8),
    extra=st.integers(-9, 9),
)
@example(words={"##a": 3, "#a": 2, "ba": 2}, min_frequency=1, alphabet_size=8, extra=0)
@example(words={"[MASK]": 9, "[MASK": 9}, min_frequency=1, alphabet_size=8, extra=0)
@example(words={"\x00\x00": 2, "\x00": 1}, min_frequency=1, alphabet_size=8, extra=0)
@example(words={"aaa": 1, "aaaa": 1, "baaaaab": 1}, min_frequency=1, alphabet_size=8, extra=0)
@settings(deadline=None)
def test_any_words(words: dict[str, int], min_frequency: int, alphabet_size: int, extra: int) -> None:
    expected = slow_vocabulary(words, min_frequency=min_frequency, alphabet_size=alphabet_size)
    assert len(set(expected)) == len(expected)
    size = len(expected) + extra
    options = {"min_frequency": min_frequency, "alphabet_size": alphabet_size}
    try:
        vocabulary = train_wordpiece(words, vocab_size=size, **options)
    except DataError as error:
        if "at least" in str(error):
            assert size < int(str(error).split("at least ")[1].split()[0]) <= len(expected)
            return
        assert f"expected at most {len(expected)} for" in str(error)
        assert size > len(expected)
        return
    assert vocabulary == expected[:size]
    assert len(vocabulary) == size
    characters = {piece.removeprefix("##") for piece in vocabulary if len(piece.removeprefix("##")) == 1}
    for word in set(words) - set(SPECIAL_TOKENS):
        pieces = longest_match(word, set(vocabulary))
        assert (pieces is not None) == (set(word) <= characters), word


# -- determinism ---------------------------------------------------------------------------------------------


def test_the_order_of_texts_and_words_does_not_matter() -> None:
    texts = PREAMBLE.split(" ")
    expected = largest_vocabulary(words_of(PREAMBLE))
    for seed in range(5):
        generator = random.Random(seed)
        generator.shuffle(texts)
        words = list(words_of(*texts).items())
        generator.shuffle(words)
        assert largest_vocabulary(dict(words)) == expected


def test_the_hash_seed_does_not_matter() -> None:
    program = (
        "import json, sys\n"
        "from bertsmith.tokenization.word_counts import count_chunks, words_of_chunks\n"
        "from bertsmith.tokenization.wordpiece import train_wordpiece\n"
        "texts = set(json.load(sys.stdin))\n"  # a set: its order changes with the seed
        "words = words_of_chunks(count_chunks(texts), lowercase=True)\n"
        "print(json.dumps(train_wordpiece(words, vocab_size=90)))\n"
    )
    texts = [f"{word} {number % 3}" for number, word in enumerate(PREAMBLE.split())]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(texts),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1
    assert len(json.loads(outputs.pop())) == 90


def test_golden_vocabulary() -> None:
    """A different value changes the vocabulary of every corpus: it needs a reason and a line in the changelog."""
    vocabulary = train_wordpiece(words_of(PREAMBLE), vocab_size=90)
    assert hashlib.sha256("\n".join(vocabulary).encode()).hexdigest() == PREAMBLE_SHA256


def test_fewer_entries_where_the_words_do_not_support_more() -> None:
    assert train_wordpiece({"ab": 2}, vocab_size=30_522, fewer=True) == train_wordpiece({"ab": 2}, vocab_size=8)
    assert train_wordpiece({"ab": 2}, vocab_size=7, fewer=True) == train_wordpiece({"ab": 2}, vocab_size=7)


def test_letters_of_scripts_without_spaces_can_begin_a_word() -> None:
    """In running Thai a letter may only occur inside a run; in text split into words it starts a run."""
    vocabulary = train_wordpiece({"กขค": 2, "abc": 2}, vocab_size=100, min_frequency=3, fewer=True)
    letters = set(vocabulary) - set(SPECIAL_TOKENS)
    assert letters == {"ก", "##ก", "ข", "##ข", "ค", "##ค", "a", "##b", "##c"}
    alphabet = covering_alphabet({"กขค": 2, "abc": 2})
    assert alphabet.entries == len(SPECIAL_TOKENS) + len(letters)

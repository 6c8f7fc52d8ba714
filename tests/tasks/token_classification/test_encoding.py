"""Words as pieces and windows: every word has a piece, and is predicted once where it sees most."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from bertsmith.tasks.token_classification.encoding import encode_words, tokenize_words, windows
from bertsmith.tasks.words_of_text import words_of_text
from bertsmith.tokenization.folder import make_tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    """Letters, their continuations, and some marks."""
    return make_tokenizer([*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *".'-!"], cased=False)


def pieces(tokenizer: PreTrainedTokenizerBase, *words: str) -> list[list[str]]:
    (found,) = tokenize_words(tokenizer, [words])
    return [[str(tokenizer.convert_ids_to_tokens(number)) for number in ids] for ids in found]


def test_every_word_has_its_pieces(tokenizer: PreTrainedTokenizerBase) -> None:
    assert pieces(tokenizer, "U.S.", "don't", "ab", "É") == [
        ["u", ".", "s", "."],
        ["d", "##o", "##n", "'", "t"],
        ["a", "##b"],
        ["e"],
    ]


@pytest.mark.parametrize("dropped", ["\u200b", "", " ", "\u00ad", "\ufffd", "\x07"])
def test_a_word_that_the_tokenizer_drops_is_unknown(tokenizer: PreTrainedTokenizerBase, dropped: str) -> None:
    assert pieces(tokenizer, "a", dropped, "b") == [["a"], ["[UNK]"], ["b"]]
    assert pieces(tokenizer, dropped) == [["[UNK]"]]


def test_the_pieces_are_those_of_the_joined_text(tokenizer: PreTrainedTokenizerBase) -> None:
    words = ["U.S.", "don't", "x-y", "!!", "abc"]
    whole = tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    (found,) = tokenize_words(tokenizer, [words])
    assert [token for word in found for token in word] == whole


def test_many_sentences_keep_their_order(tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = [[LETTERS[number % 26]] * (number % 4 + 1) for number in range(11)]
    expected = list(tokenize_words(tokenizer, sentences))
    for module in ("token_classification.encoding", "words_of_text"):
        monkeypatch.setattr(f"bertsmith.tasks.{module}.AT_ONCE", 3)
    assert list(tokenize_words(tokenizer, sentences)) == expected
    assert [len(words) for words in expected] == [len(words) for words in sentences]


def test_the_words_of_a_text_and_where_they_stand(tokenizer: PreTrainedTokenizerBase) -> None:
    text = "  Don't stop, U.S.\u200b x"
    ((found, spans),) = words_of_text(tokenizer, [text])
    assert [text[start:end] for start, end in spans] == ["Don", "'", "t", "stop", ",", "U", ".", "S", ".", "x"]
    assert [len(ids) for ids in found] == [3, 1, 1, 4, 1, 1, 1, 1, 1, 1]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [token for word in found for token in word] == ids
    assert list(words_of_text(tokenizer, ["", "\u200b "])) == [([], []), ([], [])]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(12, 40))
def test_every_word_is_predicted_once_where_it_sees_most(lengths: list[int], room: int) -> None:
    found = windows(lengths, room)
    assert sorted(word for window in found for word in window.predicted) == list(range(len(lengths)))
    offsets = np.cumsum([0, *lengths])

    def sees(window_start: int, window_end: int, word: int) -> int:
        left = offsets[word] - offsets[window_start] if window_start else room
        right = offsets[window_end] - offsets[word + 1] if window_end < len(lengths) else room
        return int(min(left, right))

    for window in found:
        assert 0 < sum(lengths[window.start : window.end]) <= room
        for word in window.predicted:
            best = max(sees(o.start, o.end, word) for o in found if o.start <= word < o.end)
            assert sees(window.start, window.end, int(word)) == best
    if sum(lengths) <= room:
        assert len(found) == 1
    else:
        assert found[0].start == 0 and found[-1].end == len(lengths)
        assert all(a.start < b.start <= a.end for a, b in pairwise(found))


def test_rows_of_a_long_sentence(tokenizer: PreTrainedTokenizerBase) -> None:
    words = [LETTERS[number] for number in range(20)]
    inputs = encode_words(tokenizer, tokenize_words(tokenizer, [["a"], words]), 10)
    assert inputs.windowed == 1 and inputs.num_words == [1, 20] and inputs.full_lengths == [3, 22]
    assert max(inputs.lengths) == 10 and inputs.truncated_tokens == [0, 0]
    for row, sentence in enumerate(inputs.sentences):
        ids = inputs.rows.input_ids[row]
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        for word, place in zip(inputs.words[row], inputs.places[row], strict=True):
            assert ids[place] == tokenizer.convert_tokens_to_ids("a" if sentence == 0 else words[word])


def test_only_a_word_that_is_longer_than_a_row_loses_pieces(tokenizer: PreTrainedTokenizerBase) -> None:
    inputs = encode_words(tokenizer, tokenize_words(tokenizer, [["ab", "!" * 30, "c"]]), 12)
    assert inputs.truncated_tokens == [20]
    assert sorted(word for words in inputs.words for word in words) == [0, 1, 2]

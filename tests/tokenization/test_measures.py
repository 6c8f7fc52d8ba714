"""The fit of a tokenizer on counted words, with figures computed by hand."""

from __future__ import annotations

import pytest

from bertsmith.tokenization.folder import make_tokenizer
from bertsmith.tokenization.measures import compare_tokenizers, fit
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

SMALL = [*SPECIAL_TOKENS, "the", "t", "##h", "##e", "Cat", "cat"]
WORDS = {"the": 3, "The": 1, "Cat": 2, "th": 2, "dog": 1}


def test_the_figures_are_those_counted_by_hand() -> None:
    figures = fit(make_tokenizer(SMALL, cased=False), WORDS)
    # the the the the cat cat t ##h t ##h [UNK]: 11 tokens of 9 words, one unknown; 4 of 11 entries
    assert figures == {"tokens_per_word": 11 / 9, "unknown_rate": 1 / 11, "vocabulary_used": 4 / 11}
    assert fit(make_tokenizer(SMALL, cased=False), {}) == dict.fromkeys(figures, 0.0)


def test_tokenizers_of_other_case_read_the_same_words() -> None:
    rows = compare_tokenizers(
        {name: make_tokenizer(SMALL, cased=name == "cased") for name in ("cased", "uncased")}, WORDS
    )
    cased, uncased = rows
    assert (cased.name, cased.vocab_size, cased.tokens_per_word) == ("cased", 11, 11 / 9)
    assert (cased.unknown_rate, uncased.unknown_rate) == (2 / 11, 1 / 11)
    assert cased.to_dict() == {
        "name": "cased",
        "vocab_size": 11,
        "tokens_per_word": pytest.approx(11 / 9),
        "unknown_rate": pytest.approx(2 / 11),
        "vocabulary_used": 4 / 11,
    }

"""The rules that a new tokenizer uses to read words."""

from __future__ import annotations

from bertsmith.tokenization.word_counts import words_of_chunks
from bertsmith.tokenization.word_rules import longest_word


def test_runs_of_letters_without_spaces_set_the_longest_word() -> None:
    short, long = "น้ำเย็น", "น้ำเย็นมาก" * 12
    assert longest_word({short: 10, "word": 5}) == (100, "")
    size, reason = longest_word({short: 10, long: 1})
    assert size == 2_000
    assert reason.startswith("63.2% of the characters are in runs of more than 100 letters without a space, such as น้ำ")
    assert longest_word({short: 100_000, long: 1}) == (100, "")
    assert longest_word({"QUJD" * 40: 10, "中": 5}) == (100, ""), "what is no text of such a script stays [UNK]"
    assert words_of_chunks({long: 1}, lowercase=True, strip_accents=False) == {}
    assert words_of_chunks({long: 1}, lowercase=True, strip_accents=False, longest=size) == {long: 1}

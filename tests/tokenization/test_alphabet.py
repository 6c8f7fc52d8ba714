"""The alphabet of a vocabulary."""

from __future__ import annotations

import pytest

from bertsmith.tokenization.alphabet import covering_alphabet


def test_an_alphabet_covers_all_but_one_character_in_two_thousand() -> None:
    assert covering_alphabet({}).size == covering_alphabet({"ab": 5, "c": 1}).size == 1000
    many = {chr(0x4E00 + number): 10 for number in range(3_000)}
    found = covering_alphabet(many)
    assert (found.size, found.characters, found.entries) == (2_999, 3_000, 5 + 2_999)
    assert found.left_out == pytest.approx(1 / 3_000)
    rare = {chr(0x6000 + number): 1 for number in range(15)}
    assert covering_alphabet(many | rare) == covering_alphabet(rare | many)
    assert covering_alphabet(many | rare).size == 3_000
    # each of these characters starts and continues words, and the special tokens take five entries
    both = many | {word + word: 10 for word in many}
    assert covering_alphabet(both, vocab_size=4_001).size == 1_998
    assert covering_alphabet(many, vocab_size=1_200).size == 1_195
    assert covering_alphabet(many, vocab_size=100).size == 1_000

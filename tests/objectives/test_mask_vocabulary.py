"""Which entries of a vocabulary are special, which continue a word, and which replace a token."""

from __future__ import annotations

import numpy as np
import pytest

from bertsmith.objectives.masks import WORD, MaskingRule, Vocabulary
from support.masks import CLS, MASK, SEP, masked


def test_the_vocabulary_of_a_tokenizer() -> None:
    from bertsmith.tokenization.folder import make_tokenizer

    tokenizer = make_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c"], cased=False)
    vocabulary = Vocabulary.of(tokenizer)
    assert (vocabulary.size, vocabulary.pad, vocabulary.cls, vocabulary.sep, vocabulary.mask) == (8, 0, 2, 3, 4)
    assert vocabulary.special == (0, 1, 2, 3, 4)
    assert vocabulary.regular.tolist() == [5, 6, 7]
    assert vocabulary.continues.tolist() == [False] * 7 + [True]
    assert vocabulary.special_or_padding.tolist() == [True] * 5 + [False] * 3


def test_a_piece_without_its_words_beginning_is_a_word() -> None:
    """Truncation takes tokens from the front, too; and [UNK] is never masked."""
    for before in (CLS, SEP, 1):
        input_ids = np.array([[CLS, before, 90, 91, 20, SEP]], np.int64)
        chosen = {
            tuple(masked(input_ids, MaskingRule(0.34, unit=WORD), indices=np.array([index])).positions.tolist())
            for index in range(100)
        }
        assert chosen == {(2, 3), (4,)}


def test_a_chinese_character_is_a_word() -> None:
    from bertsmith.tokenization.folder import make_tokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "中", "国", "##国", "中国", "play", "##ing"]
    tokenizer = make_tokenizer(pieces, cased=False)
    vocabulary = Vocabulary.of(tokenizer)
    input_ids = np.array([tokenizer("中国 playing")["input_ids"]], np.int64)
    assert tokenizer.convert_ids_to_tokens(input_ids[0].tolist()) == [
        *("[CLS]", "中", "国", "play", "##ing", "[SEP]"),
    ]
    assert np.flatnonzero(vocabulary.continues).tolist() == [7, 10]
    for rate, expected in ((0.2, {(1,), (2,)}), (0.34, {(1, 2), (3, 4)})):
        chosen = {
            tuple(
                masked(
                    input_ids, MaskingRule(rate, unit=WORD), indices=np.array([index]), vocabulary=vocabulary
                ).positions.tolist()
            )
            for index in range(200)
        }
        assert chosen == expected
    fates = {
        tuple(
            masked(
                input_ids,
                MaskingRule(0.34, (50, 0, 50), WORD),
                indices=np.array([index]),
                vocabulary=vocabulary,
            ).input_ids[0, 1:3]
            == MASK
        )
        for index in range(200)
    }
    assert len(fates) == 4, "two characters share one draw"


@pytest.mark.parametrize("mark", ["▁", "Ġ"])
def test_pieces_without_the_mark_of_a_word_start_continue_a_word(mark: str) -> None:
    """Punctuation has no mark either and is a word of its own."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", f"{mark}sea", "side", f"{mark}s", ",", mark]

    class Unigram:
        all_special_ids = (0, 1, 2, 3, 4)
        cls_token_id, pad_token_id, sep_token_id, mask_token_id = 0, 1, 2, 4

        def __len__(self) -> int:
            return len(pieces)

        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            return [pieces[number] for number in ids]

    assert np.flatnonzero(Vocabulary.of(Unigram()).continues).tolist() == [6]

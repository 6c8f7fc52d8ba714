"""Texts, or pairs of texts, encoded as ids. Long texts are truncated, and the cut tokens are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from bertsmith.tasks.values import ModelInputs, Tokenizer
from bertsmith.tokenization.folder import reset_tokenizer


@dataclass(frozen=True)
class EncodedTexts:
    """Texts as ids.

    Attributes:
        input_ids, token_type_ids: a list per text, with special tokens, not padded.
        truncated_tokens: number of tokens cut from each text.
    """

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    truncated_tokens: list[int]

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(ids) for ids in self.input_ids]

    @property
    def full_lengths(self) -> list[int]:
        """Tokens of each text before truncation."""
        return [len(ids) + cut for ids, cut in zip(self.input_ids, self.truncated_tokens, strict=True)]

    @property
    def windowed_examples(self) -> int | None:
        """None: texts are truncated, never divided into windows."""
        return None


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
) -> EncodedTexts:
    """Encode texts or pairs; cut and count tokens beyond `max_length` (in a pair, from the longer text)."""
    if not texts:
        return EncodedTexts([], [], [])
    # verbose=False: long texts are cut below, so the warning of transformers about them would be wrong.
    second = list(pairs) if pairs is not None else None
    whole = tokenizer(list(texts), second, return_token_type_ids=True, verbose=False)
    ids, types = list(whole["input_ids"]), list(whole["token_type_ids"])
    cut = [max(len(item) - max_length, 0) for item in ids]
    long = [number for number, lost in enumerate(cut) if lost]
    if long:
        shorter = tokenizer(
            [texts[number] for number in long],
            [pairs[number] for number in long] if pairs is not None else None,
            truncation="longest_first",
            max_length=max_length,
            return_token_type_ids=True,
        )
        reset_tokenizer(cast(Any, tokenizer))
        for place, number in enumerate(long):
            ids[number], types[number] = shorter["input_ids"][place], shorter["token_type_ids"][place]
    return EncodedTexts(ids, types, cut)


def find_empty_encodings(tokenizer: Tokenizer, texts: Sequence[str]) -> list[bool]:
    """Return for each text whether the model sees no token of it: the text is empty or white space, or the tokenizer
    drops all of its characters.
    """
    # No tokenizer drops letters and digits, and some make a token of white space.
    found = [not text.strip() for text in texts]
    doubtful = [number for number, text in enumerate(texts) if not found[number] and not any(map(str.isalnum, text))]
    if doubtful:
        ids = tokenizer([texts[number] for number in doubtful], add_special_tokens=False)["input_ids"]
        for number, tokens in zip(doubtful, ids, strict=True):
            found[number] = not tokens
    return found


def padded(encoded: EncodedTexts, numbers: Sequence[int], pad_token_id: int, *, with_types: bool) -> ModelInputs:
    """Return a batch of some texts, padded to the longest: int64 of [texts, length]."""
    length = max(len(encoded.input_ids[number]) for number in numbers)
    input_ids = np.full((len(numbers), length), pad_token_id, dtype=np.int64)
    types, mask = np.zeros_like(input_ids), np.zeros_like(input_ids)
    for row, number in enumerate(numbers):
        ids = encoded.input_ids[number]
        input_ids[row, : len(ids)] = ids
        types[row, : len(ids)] = encoded.token_type_ids[number]
        mask[row, : len(ids)] = 1
    batch = {"input_ids": input_ids, "attention_mask": mask}
    return batch | {"token_type_ids": types} if with_types else batch

"""Prompts with their choices as ids: each choice is a pair with the prompt, and the pairs of an example form one row.

Examples may have different numbers of choices. A batch is [examples, choices, length] of ids, as the stock model
expects it; missing choices are one padding token, and their scores are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.tasks.encoded_texts import EncodedTexts, encode_texts, padded
from bertsmith.tasks.values import Ints, ModelInputs, Tokenizer


@dataclass(frozen=True)
class EncodedChoices:
    """Prompts with their choices as ids.

    Attributes:
        pairs: the ids of every choice with its prompt, example after example.
        starts: int64 of [examples + 1]: index of the first pair of each example.
    """

    pairs: EncodedTexts
    starts: Ints

    def choices(self, row: int) -> range:
        """Return the indices of an example's pairs."""
        return range(int(self.starts[row]), int(self.starts[row + 1]))

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example with padding: the number of choices times the length of the longest."""
        longest = np.maximum.reduceat(np.array(self.pairs.lengths), self.starts[:-1])
        tokens: list[int] = (longest * np.diff(self.starts)).tolist()
        return tokens

    @property
    def full_lengths(self) -> list[int]:
        """Tokens of the longest pair of each example, before truncation."""
        longest: list[int] = np.maximum.reduceat(np.array(self.pairs.full_lengths), self.starts[:-1]).tolist()
        return longest

    @property
    def truncated_tokens(self) -> list[int]:
        """Number of tokens cut from the pairs of each example."""
        cut: list[int] = np.add.reduceat(np.array(self.pairs.truncated_tokens), self.starts[:-1]).tolist()
        return cut

    @property
    def windowed_examples(self) -> int | None:
        """None: long pairs are truncated, never divided into windows."""
        return None


def encode_choices(
    tokenizer: Tokenizer, prompts: Sequence[str], choices: Sequence[Sequence[str]], *, max_length: int
) -> EncodedChoices:
    """Encode every choice as the second text of a pair with its prompt, truncated to `max_length` tokens."""
    counts = [len(found) for found in choices]
    first = [prompt for prompt, count in zip(prompts, counts, strict=True) for _ in range(count)]
    second = [choice for found in choices for choice in found]
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return EncodedChoices(encode_texts(tokenizer, first, second, max_length), starts)


def batch_of_choices(
    inputs: EncodedChoices, rows: Sequence[int], pad_token_id: int, *, with_types: bool
) -> ModelInputs:
    """Return a batch: int64 of [rows, choices, length]. A missing choice is one padding token that is attended to."""
    counts = np.array([len(inputs.choices(row)) for row in rows])
    present = np.arange(counts.max()) < counts[:, None]
    pairs = [pair for row in rows for pair in inputs.choices(row)]
    flat = padded(inputs.pairs, pairs, pad_token_id, with_types=with_types)
    empty = {"input_ids": pad_token_id, "attention_mask": 0, "token_type_ids": 0}
    batch = {}
    for name, values in flat.items():
        batch[name] = np.full((*present.shape, values.shape[1]), empty[name], dtype=np.int64)
        batch[name][present] = values
    batch["attention_mask"][~present, 0] = 1
    return batch

"""Prompts with their choices as ids: one row per example, of pairs of the prompt and each choice.

Examples may have unequal numbers of choices. A batch is [examples, choices, length] of ids as stock's model takes it,
filled up with choices of one padding token, whose scores do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.tasks.encoded_texts import EncodedTexts, encode, padded
from bertsmith.tasks.values import Batch, Ints, Tokenizer


@dataclass(frozen=True)
class EncodedChoices:
    """Prompts with their choices as ids.

    Attributes:
        pairs: the ids of every choice with its prompt, one example behind the other.
        starts: int64 of [examples + 1]: where the choices of each example begin in them.
    """

    pairs: EncodedTexts
    starts: Ints

    def choices(self, row: int) -> range:
        """The numbers of an example's pairs."""
        return range(int(self.starts[row]), int(self.starts[row + 1]))

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example with its padding: its choices times the longest of them."""
        longest = np.maximum.reduceat(np.array(self.pairs.lengths), self.starts[:-1])
        tokens: list[int] = (longest * np.diff(self.starts)).tolist()
        return tokens

    @property
    def full_lengths(self) -> list[int]:
        """Tokens of the longest choice of each example with the prompt, before anything is cut."""
        longest: list[int] = np.maximum.reduceat(np.array(self.pairs.full_lengths), self.starts[:-1]).tolist()
        return longest

    @property
    def truncated_tokens(self) -> list[int]:
        """The number of tokens of all choices of each example that were cut."""
        cut: list[int] = np.add.reduceat(np.array(self.pairs.truncated_tokens), self.starts[:-1]).tolist()
        return cut

    @property
    def windowed_examples(self) -> int | None:
        """None: pairs that are too long are cut."""
        return None


def encode_choices(
    tokenizer: Tokenizer, prompts: Sequence[str], choices: Sequence[Sequence[str]], *, max_length: int
) -> EncodedChoices:
    """Every choice as the second text of a pair with its prompt, cut as pairs are."""
    counts = [len(found) for found in choices]
    first = [prompt for prompt, count in zip(prompts, counts, strict=True) for _ in range(count)]
    second = [choice for found in choices for choice in found]
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return EncodedChoices(encode(tokenizer, first, second, max_length), starts)


def batch_of_choices(inputs: EncodedChoices, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> Batch:
    """int64 of [rows, choices, length]. A choice that a row lacks is one token of padding, which it attends to."""
    counts = np.array([len(inputs.choices(row)) for row in rows])
    there = np.arange(counts.max()) < counts[:, None]
    pairs = [pair for row in rows for pair in inputs.choices(row)]
    flat = padded(inputs.pairs, pairs, pad_token_id, with_types=with_types)
    empty = {"input_ids": pad_token_id, "attention_mask": 0, "token_type_ids": 0}
    batch = {}
    for name, values in flat.items():
        batch[name] = np.full((*there.shape, values.shape[1]), empty[name], dtype=np.int64)
        batch[name][there] = values
    batch["attention_mask"][~there, 0] = 1
    return batch

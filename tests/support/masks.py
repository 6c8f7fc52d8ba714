"""Examples, masks and vocabularies for the tests of masking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bertsmith.objectives.masks import SPAN, TOKEN, MaskedBatch, MaskingRule, Vocabulary, mask_batch
from bertsmith.runtime import random

Ints = npt.NDArray[np.int64]


SIZE = 120


SPECIAL = (0, 1, 2, 3, 4)


PAD, CLS, SEP, MASK = 0, 2, 3, 4


FIRST_PIECE = 80
"""The entries from here on go on with a word."""


IS_PIECE = np.arange(SIZE) >= FIRST_PIECE


VOCABULARY = Vocabulary(SIZE, PAD, CLS, SEP, MASK, SPECIAL, np.arange(5, SIZE, dtype=np.int64), IS_PIECE)


APART = replace(VOCABULARY, regular=np.arange(50, FIRST_PIECE, dtype=np.int64))
"""Here a random token is none of the text, if that is of the entries 5 to 49 and of pieces: what was done shows."""


def examples(lengths: list[int], width: int, *, seed: int = 0) -> Ints:
    """Pairs of these lengths, special tokens included: [CLS] A [SEP] B [SEP] [PAD]..."""
    drawn = np.random.default_rng(seed).integers(5, SIZE, (len(lengths), width))
    for row, length in enumerate(lengths):
        drawn[row, 0], drawn[row, length // 2], drawn[row, length - 1] = CLS, SEP, SEP
        drawn[row, length:] = PAD
    return drawn.astype(np.int64)


def masked(
    input_ids: Ints,
    rule: MaskingRule | None = None,
    *,
    seed: int = 0,
    epoch: int = 0,
    indices: Ints | None = None,
    vocabulary: Vocabulary = VOCABULARY,
) -> MaskedBatch:
    count = len(input_ids)
    return mask_batch(
        input_ids,
        rule or MaskingRule(),
        vocabulary,
        seed=seed,
        epochs=np.full(count, epoch),
        indices=np.arange(count) if indices is None else indices,
    )


def expected_count(rate: float, tokens: int, width: int) -> int:
    """google-research's rule; no example reaches its `max_predictions_per_seq`, 20 of 128: the most is 19."""
    max_predictions = math.ceil(rate * width)
    return max(1, min(max_predictions, round(rate * tokens)))


Words = list[list[int]]


def text_of(words: Sequence[int], width: int, *, separators: Sequence[int] = (), seed: int = 0) -> tuple[Ints, Words]:
    """A row of words of so many pieces, [SEP] before some of them, and the columns of each word."""
    generator = np.random.default_rng(seed)
    row, columns = [CLS], []
    for number, pieces in enumerate(words):
        if number in separators:
            row.append(SEP)
        columns.append(list(range(len(row), len(row) + pieces)))
        row += [int(generator.integers(5, 50)), *generator.integers(FIRST_PIECE, SIZE, pieces - 1).tolist()]
    row.append(SEP)
    assert len(row) <= width, "the words do not fit"
    return np.array([row + [PAD] * (width - len(row))], np.int64), columns


Chosen = dict[int, tuple[int, int]]
"""The masked columns of an example, with what stands there afterwards and where the unit of each starts."""


def literal_mask(
    row: Sequence[int], width: int, rule: MaskingRule, vocabulary: Vocabulary, *, seed: int, epoch: int, index: int
) -> Chosen:
    """The rule of masking for one example without its padding, word by word, fed with the same draws."""

    def draws(purpose: str) -> list[int]:
        """The draw of each column."""
        return random.bits(random.key(purpose, seed), epoch, index, np.arange(len(row))).tolist()

    def number(drawn: int) -> float:
        return (drawn >> 11) / 2**53

    order_draws, kind_draws, token_draws = draws("masks"), draws("mask kinds"), draws("random tokens")
    span_draws = draws("spans") if rule.unit == SPAN else []
    words: list[list[int]] = []
    for column, token in enumerate(row):
        if token in vocabulary.special:
            continue
        goes_on = rule.unit != TOKEN and vocabulary.continues[token] and bool(words) and words[-1][-1] == column - 1
        if goes_on:
            words[-1].append(column)
        else:
            words.append([column])

    left = wanted = max(1, min(rule.max_predictions(width), round(rule.rate * len(row))))
    owner: dict[int, int] = {}
    order = sorted(range(len(words)), key=lambda word: order_draws[words[word][0]] >> 1)
    for first in order:
        start = words[first][0]
        most = 1
        if rule.unit == SPAN:
            shares = [0.2 * 0.8**length for length in range(10)]
            drawn = number(span_draws[start]) * sum(shares)
            most = 1 + sum(drawn >= sum(shares[:length]) for length in range(1, 10))
        for word in range(first, min(first + most, len(words))):
            adjoins = word == first or words[word][0] == words[word - 1][-1] + 1
            if not adjoins or words[word][0] in owner or len(words[word]) > left:
                break
            owner.update(dict.fromkeys(words[word], start))
            left -= len(words[word])
    if not owner and words:
        owner = dict.fromkeys(words[order[0]][:wanted], words[order[0]][0])

    result: Chosen = {}
    for column, start in owner.items():
        kind = number(kind_draws[start]) * 100
        new = row[column]
        if kind < rule.split[0]:
            new = vocabulary.mask
        elif kind < rule.split[0] + rule.split[1]:
            new = int(vocabulary.regular[token_draws[column] % len(vocabulary.regular)])
        result[column] = new, start
    return result

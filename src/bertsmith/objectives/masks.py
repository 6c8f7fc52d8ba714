"""Masks: which tokens of an example are predicted, and what stands in their place.

max(1, min(max_predictions, round(rate x tokens))) positions of an example are chosen, special tokens never (they
count among its tokens, as in google-research/bert). Of these 80% become [MASK], 10% a random token that is not a
special one, 10% stay. Every draw is a hash of (seed, epoch, index of the example, position), so an example has one
mask whatever batch or process it comes in, and a whole batch is drawn at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bertsmith.runtime import random

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """What masking must know of a tokenizer."""

    size: int
    pad: int
    cls: int
    sep: int
    mask: int
    special: tuple[int, ...]
    regular: Ints = field(repr=False)
    """int64 of [regular entries]: every id that is not special, among which random tokens are drawn."""

    @classmethod
    def of(cls, tokenizer: object) -> Vocabulary:
        """The vocabulary of a Hugging Face tokenizer."""
        size = len(tokenizer)  # type: ignore[arg-type]
        special = tuple(sorted(set(tokenizer.all_special_ids)))  # type: ignore[attr-defined]
        regular = np.setdiff1d(np.arange(size, dtype=np.int64), np.asarray(special, dtype=np.int64))
        pad, cls_id, sep, mask = (getattr(tokenizer, f"{role}_token_id") for role in ("pad", "cls", "sep", "mask"))
        return cls(size, pad, cls_id, sep, mask, special, regular)


@dataclass(frozen=True)
class MaskingRule:
    """The share of tokens that is predicted, and the percentages of [MASK], random, unchanged."""

    rate: float = 0.15
    split: tuple[float, float, float] = (80, 10, 10)

    def max_predictions(self, sequence_length: int) -> int:
        """At most so many predictions an example (20 of 128 tokens at 15%, as in the original)."""
        return max(1, math.ceil(self.rate * sequence_length))


@dataclass(frozen=True)
class MaskedBatch:
    """A batch after masking.

    Attributes:
        input_ids: int64 of [batch, length].
        positions: int64 of [masked], indices into the flattened batch, ascending.
        labels: int64 of [masked], the original ids there.
    """

    input_ids: Ints
    positions: Ints
    labels: Ints


def mask_batch(
    input_ids: Ints, rule: MaskingRule, vocabulary: Vocabulary, *, seed: int, epochs: Ints, indices: Ints
) -> MaskedBatch:
    """Mask a padded batch.

    Args:
        input_ids: int64 of [batch, length], padded; not changed.
        epochs, indices: int64 of [batch], what identifies each example.
    """
    length = input_ids.shape[1]
    tokens = (input_ids != vocabulary.pad).sum(axis=1)
    candidates = ~np.isin(input_ids, vocabulary.special)
    limit = rule.max_predictions(length)
    # Python's round (half to even) is the original's; NumPy's rounds alike.
    wanted = np.clip(np.round(rule.rate * tokens), 1, limit).astype(np.int64)
    wanted = np.minimum(wanted, candidates.sum(axis=1))

    base = random.key("masks", seed)
    position = np.arange(length)[None, :]
    drawn = random.bits(base, epochs[:, None], indices[:, None], position)
    # The candidates with the smallest draws are chosen; others stand behind all of them.
    order = np.argsort(np.where(candidates, drawn >> np.uint64(1), np.uint64(2**64 - 1)), axis=1, kind="stable")
    rows, ranks = np.nonzero(np.arange(length)[None, :] < wanted[:, None])
    flat = np.sort(rows * length + order[rows, ranks])

    labels = input_ids.reshape(-1)[flat]
    at = (epochs[flat // length], indices[flat // length], flat % length)
    kind = random.uniform(random.bits(random.key("mask kinds", seed), *at)) * 100
    other = random.bits(random.key("random tokens", seed), *at) % np.uint64(len(vocabulary.regular))
    masked, replaced = rule.split[0], rule.split[0] + rule.split[1]
    new = np.where(
        kind < masked,
        vocabulary.mask,
        np.where(kind < replaced, vocabulary.regular[other.astype(np.int64)], labels),
    )
    result = input_ids.copy()
    result.reshape(-1)[flat] = new
    return MaskedBatch(result, flat, labels)

"""Masks: which tokens of an example are predicted, and what stands in their place.

max(1, min(max_predictions, round(rate x tokens))) positions of an example are chosen, special tokens never (they
count among its tokens, as in google-research/bert). Of these 80% become [MASK], 10% a random token that is not a
special one, 10% stay. Every draw is a hash of (seed, epoch, index of the example, position), so an example has one
mask whatever batch or process it comes in, and a whole batch is drawn at once.

What is chosen together is the unit: a token; a word (a piece and the `##` pieces behind it; a CJK character is a word
of its own); or a span of words, one to ten (SpanBERT, Joshi et al. 2020, section 3.1). Words and spans are taken as
long as they fit into the number above, which is then an upper bound; one draw decides for all pieces of a unit
whether they are masked, replaced or kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bertsmith.runtime import random

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TOKEN, WORD, SPAN = "token", "word", "span"

SPAN_WORDS = 10
SPAN_PROBABILITY = 0.2
_span = SPAN_PROBABILITY * (1 - SPAN_PROBABILITY) ** np.arange(SPAN_WORDS)
SPAN_LENGTHS = np.cumsum(_span / _span.sum())
"""The cumulative distribution of 1 to 10 words: geometric with p = 0.2, of mean 3.8."""


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
    continues: Bools = field(repr=False)
    """bool of [size]: whether an entry goes on with a word (its piece begins with ##)."""

    @classmethod
    def of(cls, tokenizer: object) -> Vocabulary:
        """The vocabulary of a Hugging Face tokenizer."""
        size = len(tokenizer)  # type: ignore[arg-type]
        special = tuple(sorted(set(tokenizer.all_special_ids)))  # type: ignore[attr-defined]
        regular = np.setdiff1d(np.arange(size, dtype=np.int64), np.asarray(special, dtype=np.int64))
        pad, cls_id, sep, mask = (getattr(tokenizer, f"{role}_token_id") for role in ("pad", "cls", "sep", "mask"))
        pieces = tokenizer.convert_ids_to_tokens(list(range(size)))  # type: ignore[attr-defined]
        continues = np.array([piece is not None and piece.startswith("##") for piece in pieces], bool)
        return cls(size, pad, cls_id, sep, mask, special, regular, continues)

    @property
    def special_or_padding(self) -> Bools:
        """bool of [size]: what is never masked."""
        table = np.zeros(self.size, bool)
        table[list(self.special)] = True
        return table


@dataclass(frozen=True)
class MaskingRule:
    """The share of tokens that is predicted, the percentages of [MASK], random, unchanged, and the unit."""

    rate: float = 0.15
    split: tuple[float, float, float] = (80, 10, 10)
    unit: str = TOKEN

    def max_predictions(self, sequence_length: int) -> int:
        """At most so many predictions an example: those of one that fills its length."""
        return max(1, round(self.rate * sequence_length))


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
    candidates = ~vocabulary.special_or_padding[input_ids]
    tokens = (input_ids != vocabulary.pad).sum(axis=1)
    # Python's round (half to even) is the original's; NumPy's rounds alike.
    wanted = np.clip(np.round(rule.rate * tokens), 1, rule.max_predictions(length)).astype(np.int64)
    drawn = random.bits(random.key("masks", seed), epochs[:, None], indices[:, None], np.arange(length)[None, :])
    if rule.unit == TOKEN:
        flat = _tokens(candidates, wanted, drawn)
        unit = flat % length
    else:
        starts = candidates.copy()
        starts[:, 1:] &= ~(vocabulary.continues[input_ids[:, 1:]] & candidates[:, :-1])
        spans = np.ones_like(input_ids)
        if rule.unit == SPAN:
            again = random.bits(
                random.key("spans", seed), epochs[:, None], indices[:, None], np.arange(length)[None, :]
            )
            spans = 1 + np.searchsorted(SPAN_LENGTHS, random.uniform(again), side="right")
        flat, unit = _units(candidates, starts, spans, wanted, drawn)

    labels = input_ids.reshape(-1)[flat]
    example = (epochs[flat // length], indices[flat // length])
    kind = random.uniform(random.bits(random.key("mask kinds", seed), *example, unit)) * 100
    other = random.bits(random.key("random tokens", seed), *example, flat % length)
    masked, replaced = rule.split[0], rule.split[0] + rule.split[1]
    regular = vocabulary.regular[(other % np.uint64(len(vocabulary.regular))).astype(np.int64)]
    new = np.where(kind < masked, vocabulary.mask, np.where(kind < replaced, regular, labels))
    result = input_ids.copy()
    result.reshape(-1)[flat] = new
    return MaskedBatch(result, flat, labels)


def _ordered(possible: Bools, drawn: random.Bits) -> Ints:
    """int64 of [batch, length]: the possible places of each row by their draws; the others stand behind them."""
    return np.argsort(np.where(possible, drawn >> np.uint64(1), np.uint64(2**64 - 1)), axis=1, kind="stable")


def _tokens(candidates: Bools, wanted: Ints, drawn: random.Bits) -> Ints:
    """The candidates with the smallest draws, as ascending indices into the flattened batch."""
    length = candidates.shape[1]
    wanted = np.minimum(wanted, candidates.sum(axis=1))
    rows, ranks = np.nonzero(np.arange(length)[None, :] < wanted[:, None])
    flat: Ints = np.sort(rows * length + _ordered(candidates, drawn)[rows, ranks])
    return flat


def _units(candidates: Bools, starts: Bools, spans: Ints, wanted: Ints, drawn: random.Bits) -> tuple[Ints, Ints]:
    """Whole words, or spans of them, by the draws of the words they start with, while they fit.

    Args:
        starts: bool of [batch, length], where words start.
        spans: int64 of [batch, length], the words of the span that starts there.

    Returns:
        int64 of [masked] twice: ascending indices into the flattened batch, and the column where the unit starts that
        each is of. A row in which no word fits gets the first pieces of the one that was drawn first.
    """
    batch, length = candidates.shape
    rows, columns = np.arange(batch), np.arange(length)
    # Of each place the next one at which a word starts or no candidate stands; one more column means the end.
    borders = np.where(starts | ~candidates, columns, length)
    ends = np.full((batch, length + 1), length)
    ends[:, : length - 1] = np.minimum.accumulate(borders[:, ::-1], axis=1)[:, ::-1][:, 1:]
    owner = np.full((batch, length + 1), -1)
    owner[:, :length][~starts] = length
    owner[:, length] = length
    order, left = _ordered(starts, drawn), wanted.copy()
    counts = starts.sum(axis=1)
    for rank in range(int(counts.max(initial=0))):
        start = order[:, rank]
        going = (rank < counts) & (left > 0)
        if not going.any():
            break
        at = start
        for word in range(int(spans.max())):
            # The span ends before a word that is chosen already, at the segment's end, and where no more fits.
            size = ends[rows, at] - at
            going &= (word < spans[rows, start]) & (owner[rows, at] == -1) & (size <= left)
            if not going.any():
                break
            owner[rows[going], at[going]] = start[going]
            left -= np.where(going, size, 0)
            at = np.where(going, ends[rows, at], at)
    empty = np.flatnonzero((left == wanted) & (counts > 0))
    owner[empty, order[empty, 0]] = order[empty, 0]
    # Each candidate takes the owner of its word's start; nothing where that was not chosen.
    start_of = np.maximum.accumulate(np.where(starts, columns, 0), axis=1)
    unit = np.take_along_axis(owner, start_of, axis=1)
    chosen = candidates & (unit >= 0) & (unit < length)
    chosen[empty] &= columns - order[empty, 0][:, None] < wanted[empty][:, None]
    flat: Ints = np.flatnonzero(chosen)
    return flat, unit.reshape(-1)[flat]

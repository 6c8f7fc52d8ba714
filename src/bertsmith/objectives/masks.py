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
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bertsmith.runtime import random
from bertsmith.runtime.ragged import offsets_of

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TOKEN, WORD, SPAN = "token", "word", "span"

SPAN_WORDS = 10
SPAN_PROBABILITY = 0.2
_span = SPAN_PROBABILITY * (1 - SPAN_PROBABILITY) ** np.arange(SPAN_WORDS)
SPAN_LENGTHS = np.cumsum(_span / _span.sum())
"""The cumulative distribution of 1 to 10 words: geometric with p = 0.2, of mean 3.8."""

NEVER = np.uint64(2**64 - 1)
"""Stands for the draw of what cannot be chosen; those of the others are smaller."""


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
    """bool of [size]: whether an entry continues a word (its piece begins with ##, or is not marked as a start)."""

    @classmethod
    def of(cls, tokenizer: object) -> Vocabulary:
        """The vocabulary of a Hugging Face tokenizer."""
        size = len(tokenizer)  # type: ignore[arg-type]
        special = tuple(sorted(set(tokenizer.all_special_ids)))  # type: ignore[attr-defined]
        regular = np.setdiff1d(np.arange(size, dtype=np.int64), np.asarray(special, dtype=np.int64))
        pad, cls_id, sep, mask = (getattr(tokenizer, f"{role}_token_id") for role in ("pad", "cls", "sep", "mask"))
        pieces = tokenizer.convert_ids_to_tokens(list(range(size)))  # type: ignore[attr-defined]
        continues = np.array([piece is not None and piece.startswith("##") for piece in pieces], bool)
        if not continues.any():
            continues = _not_word_starts([piece or "" for piece in pieces], special)
        return cls(size, pad, cls_id, sep, mask, special, regular, continues)

    @cached_property
    def special_or_padding(self) -> Bools:
        """bool of [size]: what is never masked."""
        table = np.zeros(self.size, bool)
        table[list(self.special)] = True
        return table


def _not_word_starts(pieces: list[str], special: tuple[int, ...]) -> Bools:
    """bool of [pieces]: the pieces that continue a word, in a vocabulary that marks the first piece of each word.

    SentencePiece marks it with ▁, byte-level BPE with Ġ. Punctuation has no mark either; each punctuation mark is a
    separate word. In a vocabulary without such marks every piece is a word.
    """
    marks = ("▁", "Ġ")
    if not any(piece.startswith(marks) for piece in pieces):
        return np.zeros(len(pieces), bool)
    continues = np.array([piece[:1].isalnum() and not piece.startswith(marks) for piece in pieces], bool)
    continues[list(special)] = False
    return continues


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
    columns = np.arange(length)
    candidates = ~vocabulary.special_or_padding.take(input_ids)
    tokens = (input_ids != vocabulary.pad).sum(axis=1)
    # Python's round (half to even) is the original's; rint rounds alike.
    wanted = np.minimum(np.maximum(np.rint(rule.rate * tokens), 1), rule.max_predictions(length)).astype(np.int64)
    drawn = random.bits(random.key("masks", seed), epochs[:, None], indices[:, None], columns)
    # The other draws of an example begin with one hash a purpose; a column is added where it is known.
    keys = [random.key(purpose, seed) for purpose in ("spans", "mask kinds", "random tokens")]
    bases = random.further(random.further(np.array(keys, np.uint64)[:, None], epochs), indices)
    if rule.unit == TOKEN:
        flat = _tokens(candidates, wanted, drawn)
        unit = flat % length
    else:
        starts = candidates.copy()
        starts[:, 1:] &= ~(vocabulary.continues.take(input_ids[:, 1:]) & candidates[:, :-1])
        spans = None
        if rule.unit == SPAN:
            spans = _span_lengths(random.further(bases[0, :, None], columns))
        flat, unit = _units(candidates, starts, spans, wanted, drawn)

    rows, labels = flat // length, input_ids.reshape(-1)[flat]
    kind = random.uniform(random.further(bases[1, rows], unit)) * 100
    masked, replaced = rule.split[0], rule.split[0] + rule.split[1]
    new = np.where(kind < masked, vocabulary.mask, labels)
    at = np.flatnonzero((kind >= masked) & (kind < replaced))
    other = random.further(bases[2, rows[at]], flat[at] % length)
    new[at] = vocabulary.regular[(other % np.uint64(len(vocabulary.regular))).astype(np.int64)]
    result = input_ids.copy()
    result.reshape(-1)[flat] = new
    return MaskedBatch(result, flat, labels)


def _possible(possible: Bools, drawn: random.Bits) -> random.Bits:
    """uint64 of [batch, length]: the draws of the possible places, NEVER at the others."""
    return np.where(possible, drawn >> np.uint64(1), NEVER)


def _span_lengths(drawn: random.Bits) -> Ints:
    """int64 of the shape of the draws: the words of a span. A sum of ten comparisons is faster than a search."""
    share = random.uniform(drawn)
    lengths = np.ones(drawn.shape, np.int8)
    for below in SPAN_LENGTHS:
        lengths += share >= below
    return lengths.astype(np.int64)


def _tokens(candidates: Bools, wanted: Ints, drawn: random.Bits) -> Ints:
    """The candidates with the smallest draws, as ascending indices into the flattened batch.

    They are those up to the last draw that is wanted; one too many if two draws are equal, once in 2^50 examples.
    """
    draws = _possible(candidates, drawn)
    last = np.sort(draws, axis=1)[np.arange(len(draws)), wanted - 1]
    return np.flatnonzero(candidates & (draws <= last[:, None]))


def _units(candidates: Bools, starts: Bools, spans: Ints | None, wanted: Ints, drawn: random.Bits) -> tuple[Ints, Ints]:
    """Whole words, or spans of them, by the draws of the words they start with, while they fit.

    Args:
        starts: bool of [batch, length], where words start.
        spans: int64 of [batch, length], the words of the span that starts there; None for single words.

    Returns:
        int64 of [masked] twice: ascending indices into the flattened batch, and the column where the unit starts that
        each is of. A row in which no word fits gets the first pieces of the one that was drawn first.
    """
    batch, length = candidates.shape
    # Where words start, and special tokens, in the flattened batch; a row's first place is always one of them.
    firsts = np.flatnonzero(starts | ~candidates)
    sizes = np.zeros((batch, length), np.int64)
    sizes.reshape(-1)[firsts] = np.diff(firsts, append=batch * length)
    too_long = length + 1
    sizes = np.where(starts, sizes, too_long)
    none_fits = sizes.min(axis=1) > wanted
    if none_fits.any():
        sizes[none_fits] = np.where(starts[none_fits], wanted[none_fits, None], too_long)
    draws = _possible(sizes <= wanted[:, None], drawn)
    if spans is None:
        at, size = _words(sizes, wanted, draws)
    else:
        at, size = _spans(firsts, candidates, spans, sizes, wanted, draws)
    order = np.argsort(at)
    at, size = at[order], size[order]
    before = offsets_of(size)
    return np.repeat(at - before[:-1], size) + np.arange(before[-1]), np.repeat(at % length, size)


def _words(sizes: Ints, wanted: Ints, draws: random.Bits) -> tuple[Ints, Ints]:
    """The words that are taken one after the other, by their draws, where they fit into what is left.

    Not word by word: all up to the first that does not fit, then again without those that are now too long.

    Args:
        sizes: int64 of [batch, length], the tokens of the word that starts there; where none does, too many.

    Returns:
        int64 of [taken words] twice: indices into the flattened batch, and sizes.
    """
    batch, length = sizes.shape
    order = np.argsort(draws, axis=1) + length * np.arange(batch)[:, None]
    by_place, sizes, left, taken = sizes.reshape(-1), sizes.reshape(-1).take(order), wanted, []
    while len(left):
        fits = sizes <= left[:, None]
        used = np.cumsum(np.where(fits, sizes, 0), axis=1)
        fits &= used <= left[:, None]
        taken.append(order[fits])
        left = left - np.where(fits, used, 0).max(axis=1)
        sizes[fits] = length + 1  # which is too long: none is taken twice
        going = (left > 0) & fits.any(axis=1)
        order, sizes, left = order[going], sizes[going], left[going]
    at = np.concatenate(taken)
    return at, by_place[at]


def _spans(
    firsts: Ints, candidates: Bools, spans: Ints, sizes: Ints, wanted: Ints, draws: random.Bits
) -> tuple[Ints, Ints]:
    """The spans that are taken one after the other: of all rows at once the one that each draws next.

    A span ends after its words, at the segment's end, before a word that is taken already, and where no more fits.

    Args:
        firsts: int64 of [words], where words start, and special tokens, in the flattened batch.
        sizes: as for `_words`.
        draws: uint64 of [batch, length]; overwritten.

    Returns:
        int64 of [taken spans] twice: indices into the flattened batch, and sizes.
    """
    batch, length = candidates.shape
    bounds, columns = np.append(firsts, batch * length), np.arange(length, dtype=np.int16)
    # Of each column the segment's end; and after a row its end, so that no segment goes on in the next.
    closed = np.ones((batch, length + 1), bool)
    np.logical_not(candidates, out=closed[:, :length])
    stops = np.flatnonzero(closed)
    ends = np.repeat((stops % (length + 1)).astype(np.int16), np.diff(stops, prepend=-1)).reshape(closed.shape)
    rows, left, taken = np.arange(batch), wanted, [np.zeros((2, 0), np.int64)]
    ends, sizes = ends[:, :length], sizes.astype(np.int16)
    while True:
        at = draws.argmin(axis=1)
        going = draws[np.arange(len(rows)), at] != NEVER
        if not going.all():
            rows, left, draws, ends, sizes, at = (one[going] for one in (rows, left, draws, ends, sizes, at))
        if not len(rows):
            break
        every, row = np.arange(len(rows)), rows * length
        last = np.searchsorted(firsts, row + at) + spans[rows, at]
        end = np.minimum(bounds[np.minimum(last, len(firsts))] - row, np.minimum(ends[every, at], at + left))
        # Back to where a word ends; but at least one word (of a row in which none fits, its first pieces).
        end = bounds[np.searchsorted(bounds, row + end, side="right") - 1] - row
        size = np.maximum(end - at, sizes[every, at])
        left = left - size
        taken.append(np.array((row + at, size)))
        # No span runs into this one, none starts in it, and none with a word for which there is no room.
        first, after = (one.astype(np.int16)[:, None] for one in (at, at + size))
        before = columns < first
        np.minimum(ends, first, out=ends, where=before)
        draws[~before & (columns < after) | (sizes > left.astype(np.int16)[:, None])] = NEVER
    starts, lengths = np.concatenate(taken, axis=1)
    return starts, lengths

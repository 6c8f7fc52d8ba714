"""Masks: the tokens of an example that are predicted, and the tokens that replace them in the input.

max(1, min(max_predictions, round(rate x tokens))) positions of an example are chosen, never special tokens (which
count as tokens here, as in google-research/bert). 80% of them become [MASK], 10% a random token that is not special,
and 10% stay unchanged. Every draw is a hash of (seed, epoch, index of the example, position), so the mask of an example
does not depend on its batch or process, and one call draws a whole batch.

Positions are chosen by unit: a token; a word (a piece and the `##` pieces after it; each CJK character is a word); or a
span of one to ten words (SpanBERT, Joshi et al. 2020, section 3.1). Words and spans are chosen as long as they fit into
the number above, which is then an upper bound. One draw decides for all pieces of a unit whether they are masked,
replaced or kept.
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
"""The cumulative distribution of span lengths, 1 to 10 words: geometric with p = 0.2, mean 3.8."""

NEVER = np.uint64(2**64 - 1)
"""The draw of positions that cannot be chosen; all other draws are smaller."""


@dataclass(frozen=True)
class Vocabulary:
    """The properties of a tokenizer that masking needs."""

    size: int
    pad: int
    cls: int
    sep: int
    mask: int
    special: tuple[int, ...]
    regular: Ints = field(repr=False)
    """int64 of [regular entries]: all ids that are not special; random tokens are drawn from them."""
    continues: Bools = field(repr=False)
    """bool of [size]: whether an entry continues a word (its piece begins with ##, or has no mark of a word start)."""

    @classmethod
    def of(cls, tokenizer: object) -> Vocabulary:
        """Read the vocabulary of a Hugging Face tokenizer."""
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
        """bool of [size]: entries that are never masked."""
        table = np.zeros(self.size, bool)
        table[list(self.special)] = True
        return table


def _not_word_starts(pieces: list[str], special: tuple[int, ...]) -> Bools:
    """Return which pieces continue a word, bool of [pieces], if the vocabulary marks the first piece of each word.

    SentencePiece marks it with ▁, byte-level BPE with Ġ. Punctuation has no mark, but each punctuation mark counts as a
    word. In a vocabulary without such marks, every piece is a word.
    """
    marks = ("▁", "Ġ")
    if not any(piece.startswith(marks) for piece in pieces):
        return np.zeros(len(pieces), bool)
    continues = np.array([piece[:1].isalnum() and not piece.startswith(marks) for piece in pieces], bool)
    continues[list(special)] = False
    return continues


@dataclass(frozen=True)
class MaskingRule:
    """The share of predicted tokens, the percentages of [MASK], random and unchanged tokens, and the unit."""

    rate: float = 0.15
    split: tuple[float, float, float] = (80, 10, 10)
    unit: str = TOKEN

    def max_predictions(self, sequence_length: int) -> int:
        """Return the maximum number of predictions per example."""
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
        epochs, indices: int64 of [batch], the identity of each example.
    """
    length = input_ids.shape[1]
    columns = np.arange(length)
    candidates = ~vocabulary.special_or_padding.take(input_ids)
    tokens = (input_ids != vocabulary.pad).sum(axis=1)
    # The original uses Python's round (half to even), as rint does.
    wanted = np.minimum(np.maximum(np.rint(rule.rate * tokens), 1), rule.max_predictions(length)).astype(np.int64)
    draws = random.bits(random.key("masks", seed), epochs[:, None], indices[:, None], columns)
    # The other draws start with one hash per purpose; the column is added later, when it is known.
    keys = [random.key(purpose, seed) for purpose in ("spans", "mask kinds", "random tokens")]
    bases = random.further(random.further(np.array(keys, np.uint64)[:, None], epochs), indices)
    if rule.unit == TOKEN:
        flat = _tokens(candidates, wanted, draws)
        unit = flat % length
    else:
        starts = candidates.copy()
        starts[:, 1:] &= ~(vocabulary.continues.take(input_ids[:, 1:]) & candidates[:, :-1])
        spans = None
        if rule.unit == SPAN:
            spans = _span_lengths(random.further(bases[0, :, None], columns))
        flat, unit = _units(candidates, starts, spans, wanted, draws)

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


def _possible_draws(possible: Bools, draws: random.Bits) -> random.Bits:
    """Return the draws of possible positions and NEVER elsewhere, uint64 of [batch, length]."""
    return np.where(possible, draws >> np.uint64(1), NEVER)


def _span_lengths(draws: random.Bits) -> Ints:
    """Return the number of words of each span, int64 with the shape of `draws`. Ten comparisons beat a search."""
    share = random.uniform(draws)
    lengths = np.ones(draws.shape, np.int8)
    for below in SPAN_LENGTHS:
        lengths += share >= below
    return lengths.astype(np.int64)


def _tokens(candidates: Bools, wanted: Ints, draws: random.Bits) -> Ints:
    """Return the candidates with the smallest draws, as ascending indices into the flattened batch.

    If two draws are equal, which happens once in 2^50 examples, there is one candidate too many.
    """
    draws = _possible_draws(candidates, draws)
    last = np.sort(draws, axis=1)[np.arange(len(draws)), wanted - 1]
    return np.flatnonzero(candidates & (draws <= last[:, None]))


def _units(candidates: Bools, starts: Bools, spans: Ints | None, wanted: Ints, draws: random.Bits) -> tuple[Ints, Ints]:
    """Choose whole words, or spans of words, by the draws of their first pieces, as long as they fit.

    Args:
        starts: bool of [batch, length], the starts of words.
        spans: int64 of [batch, length], the number of words of the span that starts here; None for single words.

    Returns:
        int64 of [masked] twice: ascending indices into the flattened batch, and for each the first column of its unit.
        A row without a word that fits gets the first pieces of the word with the smallest draw.
    """
    batch, length = candidates.shape
    # Starts of words, and special tokens, in the flattened batch; each row begins with one of them.
    firsts = np.flatnonzero(starts | ~candidates)
    sizes = np.zeros((batch, length), np.int64)
    sizes.reshape(-1)[firsts] = np.diff(firsts, append=batch * length)
    too_long = length + 1
    sizes = np.where(starts, sizes, too_long)
    none_fits = sizes.min(axis=1) > wanted
    if none_fits.any():
        sizes[none_fits] = np.where(starts[none_fits], wanted[none_fits, None], too_long)
    draws = _possible_draws(sizes <= wanted[:, None], draws)
    if spans is None:
        at, size = _words(sizes, wanted, draws)
    else:
        at, size = _spans(firsts, candidates, spans, sizes, wanted, draws)
    order = np.argsort(at)
    at, size = at[order], size[order]
    before = offsets_of(size)
    return np.repeat(at - before[:-1], size) + np.arange(before[-1]), np.repeat(at % length, size)


def _words(sizes: Ints, wanted: Ints, draws: random.Bits) -> tuple[Ints, Ints]:
    """Choose words in the order of their draws, each if it fits into the remaining number of predictions.

    Each round takes all words up to the first that does not fit; the next round skips words that are now too long.

    Args:
        sizes: int64 of [batch, length], the tokens of the word that starts here; elsewhere more than the length.

    Returns:
        int64 of [chosen words] twice: indices into the flattened batch, and sizes.
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
        sizes[fits] = length + 1  # too long: no word is chosen twice
        going = (left > 0) & fits.any(axis=1)
        order, sizes, left = order[going], sizes[going], left[going]
    at = np.concatenate(taken)
    return at, by_place[at]


def _spans(
    firsts: Ints, candidates: Bools, spans: Ints, sizes: Ints, wanted: Ints, draws: random.Bits
) -> tuple[Ints, Ints]:
    """Choose spans in the order of their draws, one span per round for all rows at once.

    A span ends after its number of words, at the end of its segment, before a word that is already chosen, or when no
    more words fit.

    Args:
        firsts: int64 of [words], starts of words, and special tokens, in the flattened batch.
        sizes: as for `_words`.
        draws: uint64 of [batch, length]; overwritten.

    Returns:
        int64 of [chosen spans] twice: indices into the flattened batch, and sizes.
    """
    batch, length = candidates.shape
    bounds, columns = np.append(firsts, batch * length), np.arange(length, dtype=np.int16)
    # For each column the end of its segment; the end of a row ends its last segment.
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
        # Back to the end of a word, but at least one word (or its first pieces, if no word fits).
        end = bounds[np.searchsorted(bounds, row + end, side="right") - 1] - row
        size = np.maximum(end - at, sizes[every, at])
        left = left - size
        taken.append(np.array((row + at, size)))
        # Later spans may not overlap this one, nor start with a word that does not fit.
        first, after = (one.astype(np.int16)[:, None] for one in (at, at + size))
        before = columns < first
        np.minimum(ends, first, out=ends, where=before)
        draws[~before & (columns < after) | (sizes > left.astype(np.int16)[:, None])] = NEVER
    starts, lengths = np.concatenate(taken, axis=1)
    return starts, lengths

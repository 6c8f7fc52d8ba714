"""Masks of whole words and of spans: no part of a word, no more than wanted, each as likely as the rules say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.objectives import masks
from bertsmith.objectives.masks import SPAN, WORD, MaskedBatch, MaskingRule
from bertsmith.runtime import random
from support.chance import check_chi_square, check_share, chi_square_of
from support.masks import APART, IS_PIECE, MASK, PAD, Ints, expected_count, literal_mask, masked, text_of


@dataclass(frozen=True)
class Units:
    """The masks of a batch, and the words or spans that they consist of."""

    batch: MaskedBatch
    of: list[dict[int, list[int]]]
    """For each example the masked columns of each unit, by the column where the unit starts."""
    spans: Ints
    """int64 of [batch, length]: the drawn length, in words, of the span that would start at each column."""


def units_of(
    input_ids: Ints, rule: MaskingRule, *, seed: int = 0, epoch: int = 0, indices: Ints | None = None
) -> Units:
    """Mask a batch by words or spans. The literal rule tells the units apart; it masks the same columns."""
    indices = np.arange(len(input_ids)) if indices is None else indices
    batch = masked(input_ids, rule, seed=seed, epoch=epoch, indices=indices, vocabulary=APART)
    width = input_ids.shape[1]
    found: list[dict[int, list[int]]] = []
    expected: list[int] = []
    for place, (row, index) in enumerate(zip(input_ids, indices.tolist(), strict=True)):
        text = row[row != PAD].tolist()
        chosen = literal_mask(text, width, rule, APART, seed=seed, epoch=epoch, index=index)
        units: dict[int, list[int]] = {}
        for column, (_, start) in sorted(chosen.items()):
            units.setdefault(start, []).append(column)
            expected.append(place * width + column)
        found.append(units)
    assert batch.positions.tolist() == expected, "the batch is not masked as the literal rule masks it"
    drawn = random.bits(random.key("spans", seed), epoch, indices[:, None], np.arange(width))
    spans = 1 + np.searchsorted(SPAN_SHARES, random.uniform(drawn), side="right")
    return Units(batch, found, spans)


SPAN_SHARES = np.cumsum(0.2 * 0.8 ** np.arange(10)) / (1 - 0.8**10)
"""The probability that a span has at most 1, 2, ... 10 words: geometric with p = 0.2, cut off at 10 (SpanBERT)."""


rows_of_words = st.lists(
    st.tuples(st.lists(st.integers(1, 6), min_size=1, max_size=14), st.sets(st.integers(1, 13), max_size=3)),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("unit", [WORD, SPAN])
@settings(max_examples=100, deadline=None)
@given(rows=rows_of_words, rate=st.sampled_from([0.01, 0.15, 0.4]), seed=st.integers(0, 1000))
def test_units_are_whole_words_and_never_more_than_wanted(
    unit: str, rows: list[tuple[list[int], set[int]]], rate: float, seed: int
) -> None:
    width = 96
    made = [text_of(words, width, separators=sorted(separators), seed=seed) for words, separators in rows]
    input_ids = np.concatenate([row for row, _ in made])
    found = units_of(input_ids, MaskingRule(rate, unit=unit), seed=seed)
    new = found.batch.input_ids
    for row, (_, words), units in zip(range(len(rows)), made, found.of, strict=True):
        tokens = int((input_ids[row] != PAD).sum())
        wanted = expected_count(rate, tokens, width)
        count = sum(map(len, units.values()))
        assert 1 <= count <= wanted
        chosen = {column for columns in units.values() for column in columns}
        if min(map(len, words)) > wanted:
            (columns,) = units.values()
            assert any(columns == word[:wanted] for word in words), "not the first pieces of one word"
        else:
            assert all(chosen.issuperset(word) or chosen.isdisjoint(word) for word in words), "a word is cut"
            others = [len(word) for word in words if chosen.isdisjoint(word)]
            assert all(size > wanted - count for size in others), "a word that fits was left out"
        for start, columns in units.items():
            assert columns == list(range(start, start + len(columns))), "a unit is not in one run"
            inside = [word for word in words if not set(word).isdisjoint(columns)]
            assert len(inside) <= (1 if unit == WORD else found.spans[row, start])
            kinds = {
                "mask" if new[row, at] == MASK else "kept" if new[row, at] == input_ids[row, at] else "random"
                for at in columns
            }
            assert len(kinds) == 1, "the pieces of a unit have different fates"


def test_each_way_of_masking_of_words_is_met() -> None:
    """Words that fit and words that do not, spans that end early and those that do not, all in a few rows."""
    row, words = text_of([2, 1, 3, 1, 1, 2, 1, 4, 1, 1, 1, 2] * 2, 64, separators=(9,))
    found = units_of(np.repeat(row, 400, axis=0), MaskingRule(0.3, unit=SPAN))
    number = {word[0]: place for place, word in enumerate(words)}
    full = short_of_separator = short_of_unit = 0
    for row_units, spans in zip(found.of, found.spans, strict=True):
        for start, columns in row_units.items():
            first = number[start]
            inside = sum(word[0] in columns for word in words)
            following = first + inside
            full += inside == spans[start] > 1
            if inside < spans[start] and following < len(words):
                short_of_separator += words[following][0] > columns[-1] + 1
                short_of_unit += words[following][0] in row_units
    assert min(full, short_of_separator, short_of_unit) > 20


@pytest.mark.parametrize("unit", [WORD, SPAN])
@pytest.mark.parametrize(("rate", "wanted"), [(0.01, 1), (0.06, 2)])
def test_where_no_word_fits_the_first_pieces_of_one_are_masked(unit: str, rate: float, wanted: int) -> None:
    row, words = text_of([3] * 10, 40)
    size, examples_made = 10, 100_000
    found = masked(np.repeat(row, examples_made, axis=0), MaskingRule(rate, unit=unit))
    assert expected_count(rate, 32, 40) == wanted
    columns = (found.positions % 40).reshape(examples_made, wanted)
    assert (found.positions // 40 == np.repeat(np.arange(examples_made), wanted)).all()
    assert np.isin(columns[:, 0], [word[0] for word in words]).all()
    assert (np.diff(columns, axis=1) == 1).all()
    counts = np.bincount((columns[:, 0] - 1) // 3, minlength=size)
    check_chi_square("words", chi_square_of(counts), size - 1)


def check_kinds_of_words(split: tuple[float, float, float], words_at_least: int) -> None:
    """One draw decides for all pieces of a word, 80/10/10 of the words."""
    row, _ = text_of([1, 2, 3] * 20, 128)
    starts = ~IS_PIECE[row[0]] & (row[0] > MASK)
    pieces = np.cumsum(starts) * (row[0] > MASK)
    kinds, total, start = np.zeros(3, np.int64), 0, 0
    while total < words_at_least:
        input_ids = np.repeat(row, 4_000, axis=0)
        batch = masked(
            input_ids,
            MaskingRule(0.3, split, WORD),
            indices=start + np.arange(4_000),
            vocabulary=APART,
        )
        start += 4_000
        new = batch.input_ids.reshape(-1)[batch.positions]
        kind = np.where(new == MASK, 0, np.where(new == batch.labels, 2, 1))
        word = batch.positions // 128 * 1_000 + pieces[batch.positions % 128]
        first = np.append(True, word[1:] != word[:-1])
        assert starts[batch.positions[first] % 128].all()
        assert (kind == kind[first][np.cumsum(first) - 1]).all(), "the pieces of a word have different fates"
        kinds += np.bincount(kind[first], minlength=3)
        total = int(kinds.sum())
    for what, count, share in zip(("[MASK]", "random", "kept"), kinds.tolist(), (0.8, 0.1, 0.1), strict=True):
        check_share(what, count, total, share)


def test_one_draw_decides_for_a_word() -> None:
    check_kinds_of_words((80, 10, 10), 300_000)
    with pytest.raises(AssertionError, match="standard deviations"):
        check_kinds_of_words((75, 15, 10), 50_000)


def check_words_are_uniform(count: int) -> None:
    """Of words that are equally long each is chosen as often."""
    size, wanted, made = 20, 7, 0
    row, _ = text_of([2] * size, 48)
    counts = np.zeros(size, np.int64)
    while counts.sum() < count:
        input_ids = np.repeat(row, 5_000, axis=0)
        batch = masked(input_ids, MaskingRule(0.34, unit=WORD), indices=made + np.arange(5_000))
        made += 5_000
        counts += np.bincount((batch.positions % 48 - 1) // 2, minlength=size) // 2
    assert counts.sum() == made * wanted
    share = wanted / size
    check_chi_square("words", chi_square_of(counts) / ((1 - share) * size / (size - 1)), size - 1)


def test_words_are_chosen_uniformly() -> None:
    check_words_are_uniform(500_000)
    true_bits = random.bits

    def early_first(base: int, *counters: Any) -> random.Bits:
        drawn = true_bits(base, *counters)
        return np.where(counters[2] < 10, drawn - drawn // np.uint64(20), drawn) if len(counters) == 3 else drawn

    with mock.patch.object(random, "bits", early_first), pytest.raises(AssertionError, match="words: chi-square"):
        check_words_are_uniform(50_000)


def test_the_lengths_of_spans() -> None:
    """The first span of an example is as long as drawn if the text goes on for ten words: 3.8 words in the mean."""
    width, wanted, made = 64, 12, 4_000
    row, words = text_of([1] * 58, width)
    found = units_of(np.repeat(row, made, axis=0), MaskingRule(0.2, unit=SPAN))
    drawn = random.bits(random.key("masks", 0), 0, np.arange(made)[:, None], np.arange(width))
    drawn[:, [0, *range(59, width)]] = 2**64 - 1
    lengths = []
    for place, first in enumerate(np.argmin(drawn, axis=1).tolist()):
        assert sum(map(len, found.of[place].values())) == wanted
        if first + 10 <= words[-1][0] + 1:
            lengths.append(len(found.of[place][first]))
            assert lengths[-1] == found.spans[place, first]
    assert len(lengths) > made / 2
    counts = np.bincount(lengths, minlength=11)
    assert counts[0] == 0 and len(counts) == 11
    expected = np.diff(SPAN_SHARES, prepend=0) * len(lengths)
    check_chi_square("spans", float(((counts[1:] - expected) ** 2 / expected).sum()), 9)
    assert np.mean(lengths) == pytest.approx(3.8, abs=0.15), "SpanBERT's mean"


@pytest.mark.parametrize("probability", [0.19, 0.21])
def test_spans_of_another_distribution_are_noticed(probability: float) -> None:
    shares = probability * (1 - probability) ** np.arange(10)
    row, _ = text_of([1] * 58, 64)
    with (
        mock.patch.object(masks, "SPAN_LENGTHS", np.cumsum(shares / shares.sum())),
        pytest.raises(AssertionError, match="not masked as the literal rule"),
    ):
        units_of(np.repeat(row, 500, axis=0), MaskingRule(0.2, unit=SPAN))


@pytest.mark.parametrize("unit", [WORD, SPAN])
def test_single_tokens_fill_the_number_that_is_wanted(unit: str) -> None:
    row, _ = text_of([1] * 60, 64)
    batch = masked(np.repeat(row, 300, axis=0), MaskingRule(unit=unit))
    assert (np.bincount(batch.positions // 64) == expected_count(0.15, 62, 64)).all()


@pytest.mark.parametrize("unit", [WORD, SPAN])
def test_units_of_other_seeds_epochs_and_examples_differ(unit: str) -> None:
    row, _ = text_of([1, 2, 3, 1] * 8, 64)
    rule = MaskingRule(0.4, unit=unit)
    found = {
        masked(row, rule, seed=seed, epoch=epoch, indices=np.array([index])).positions.tobytes()
        for seed in range(4)
        for epoch in range(4)
        for index in range(4)
    }
    assert len(found) > 60

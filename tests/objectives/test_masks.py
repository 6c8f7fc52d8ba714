"""Masks: how many, where, by what, and that an example's mask is its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.objectives import masks
from bertsmith.objectives.masks import SPAN, TOKEN, WORD, MaskedBatch, MaskingRule, Vocabulary, mask_batch
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


def within(count: int, total: int, share: float) -> bool:
    """Whether a count is within four standard deviations of its expectation."""
    return abs(count - total * share) <= 4 * math.sqrt(total * share * (1 - share))


def expected_count(rate: float, tokens: int, width: int) -> int:
    """google-research's rule; no example reaches its `max_predictions_per_seq`, 20 of 128: the most is 19."""
    max_predictions = math.ceil(rate * width)
    return max(1, min(max_predictions, round(rate * tokens)))


@given(st.floats(0.001, 1), st.integers(1, 512))
def test_the_limit_is_what_a_full_example_has_and_binds_no_other(rate: float, width: int) -> None:
    limit = MaskingRule(rate).max_predictions(width)
    assert limit == expected_count(rate, width, width)
    assert all(expected_count(rate, tokens, width) <= limit for tokens in range(1, width + 1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(5, 96), min_size=1, max_size=12),
    st.sampled_from([0.01, 0.15, 0.2, 0.4]),
    st.integers(0, 100),
)
def test_the_number_of_predictions_of_each_example(lengths: list[int], rate: float, seed: int) -> None:
    input_ids = examples(lengths, 96, seed=seed)
    batch = masked(input_ids, MaskingRule(rate), seed=seed)
    found = np.bincount(batch.positions // 96, minlength=len(lengths)).tolist()
    assert found == [min(expected_count(rate, length, 96), length - 3) for length in lengths]
    assert min(found) >= 1


def test_the_original_numbers_of_predictions() -> None:
    """At 15% google-research/bert's README allows 20 of 128 and 77 of 512; the 20th is never used."""
    for width, count in ((128, 19), (512, 77)):
        assert MaskingRule().max_predictions(width) == count
        assert len(masked(examples([width], width)).positions) == expected_count(0.15, width, width) == count


def test_half_a_prediction_rounds_to_the_even_number_as_in_the_original() -> None:
    assert len(masked(examples([50], 64)).positions) == round(0.15 * 50) == 8
    assert len(masked(examples([30], 64)).positions) == round(0.15 * 30) == 4


@pytest.mark.parametrize("unit", [TOKEN, WORD, SPAN])
@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(5, 40), min_size=1, max_size=8), seed=st.integers(0, 100))
def test_labels_are_the_originals_and_nothing_else_changes(unit: str, lengths: list[int], seed: int) -> None:
    input_ids = examples(lengths, 40, seed=seed)
    before = input_ids.copy()
    batch = masked(input_ids, MaskingRule(unit=unit), seed=seed)
    assert (input_ids == before).all(), "the batch that is given stays as it is"
    assert (np.diff(batch.positions) > 0).all()
    assert (batch.labels == before.reshape(-1)[batch.positions]).all()
    assert not np.isin(batch.labels, SPECIAL).any(), "a special token is predicted"
    untouched = np.ones(before.size, dtype=bool)
    untouched[batch.positions] = False
    assert (batch.input_ids.reshape(-1)[untouched] == before.reshape(-1)[untouched]).all()


@pytest.mark.parametrize("split", [(80, 10, 10), (100, 0, 0), (0, 100, 0), (0, 0, 100), (60.5, 20, 19.5)])
@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_the_shares_of_mask_random_and_unchanged(split: tuple[float, float, float], rate: float) -> None:
    batch = masked(examples([64] * 3_000, 64), MaskingRule(rate, split))
    new, total = batch.input_ids.reshape(-1)[batch.positions], len(batch.positions)
    is_mask, is_same = new == MASK, new == batch.labels
    assert total == 3_000 * round(rate * 64)
    by_chance = split[1] / 100 / len(VOCABULARY.regular)  # a random token that happens to be the original
    assert within(int(is_mask.sum()), total, split[0] / 100)
    assert within(int(is_same.sum()), total, split[2] / 100 + by_chance)
    assert within(int((~is_mask & ~is_same).sum()), total, split[1] / 100 - by_chance)


def test_random_tokens_are_never_special_and_uniform_over_the_others() -> None:
    batch = masked(examples([64] * 3_000, 64), MaskingRule(0.15, (0, 100, 0)))
    new = batch.input_ids.reshape(-1)[batch.positions]
    counts = np.bincount(new, minlength=SIZE)
    assert counts[list(SPECIAL)].sum() == 0
    chi_square = chi_square_of(counts[5:])
    assert chi_square < chi_square_limit(SIZE - 6), chi_square


def chi_square_of(counts: Ints) -> float:
    """Against the uniform distribution."""
    mean = counts.mean()
    return float(((counts - mean) ** 2 / mean).sum())


def chi_square_limit(degrees: int) -> float:
    """What a chi-square of so many degrees exceeds with probability 3e-5 (Wilson and Hilferty 1931)."""
    return degrees * (1 - 2 / (9 * degrees) + 4 * math.sqrt(2 / (9 * degrees))) ** 3


def test_positions_are_uniform() -> None:
    batch = masked(examples([64] * 5_000, 64))
    counts = np.bincount(batch.positions % 64, minlength=64)
    assert counts[[0, 32, 63]].sum() == 0
    regular = np.delete(counts, [0, 32, 63])
    # Positions of one example exclude each other, so the statistic is smaller than that of independent draws.
    shrink = 1 - round(0.15 * 64) / len(regular)
    assert chi_square_of(regular) / shrink < chi_square_limit(len(regular) - 1)


def test_what_stands_in_the_place_does_not_depend_on_where_it_is() -> None:
    """80/10/10 at every position, not only in the mean."""
    batch = masked(examples([64] * 5_000, 64))
    is_mask = batch.input_ids.reshape(-1)[batch.positions] == MASK
    for position in (1, 20, 62):
        here = batch.positions % 64 == position
        assert within(int(is_mask[here].sum()), int(here.sum()), 0.8)


@pytest.mark.parametrize("unit", [TOKEN, WORD, SPAN])
@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(5, 30), min_size=2, max_size=8),
    chosen=st.integers(0, 7),
    width=st.integers(30, 60),
    seed=st.integers(0, 20),
)
def test_an_examples_mask_is_its_own(unit: str, lengths: list[int], chosen: int, width: int, seed: int) -> None:
    """It does not depend on the batch, the row, or the padding."""
    rule = MaskingRule(unit=unit)
    chosen %= len(lengths)
    input_ids = examples(lengths, 30, seed=seed)
    indices = np.arange(len(lengths)) * 17 + 5
    together = masked(input_ids, rule, seed=seed, indices=indices)
    wider = np.zeros((1, width), dtype=np.int64)
    wider[0, :30] = input_ids[chosen]
    alone = masked(wider, rule, seed=seed, indices=indices[chosen : chosen + 1])
    assert (together.input_ids[chosen] == alone.input_ids[0, :30]).all()
    assert (alone.input_ids[0, 30:] == PAD).all()
    mine = together.positions // 30 == chosen
    assert (together.positions[mine] % 30 == alone.positions).all()
    assert (together.labels[mine] == alone.labels).all()

    turned = masked(input_ids[::-1].copy(), rule, seed=seed, indices=indices[::-1].copy())
    assert (turned.input_ids[::-1] == together.input_ids).all()


def test_epochs_seeds_and_examples_have_masks_of_their_own() -> None:
    input_ids = np.repeat(examples([64], 64), 50, axis=0)
    same_index = np.zeros(50, dtype=np.int64)
    found = {
        (seed, epoch): masked(input_ids[:1], seed=seed, epoch=epoch, indices=same_index[:1]).input_ids.tobytes()
        for seed in range(5)
        for epoch in range(5)
    }
    assert len(set(found.values())) == 25
    assert len({row.tobytes() for row in masked(input_ids).input_ids}) == 50
    assert len({row.tobytes() for row in masked(input_ids, indices=same_index).input_ids}) == 1


def test_no_random_state_is_read_or_changed() -> None:
    input_ids = examples([40] * 4, 40)
    first = masked(input_ids)
    np.random.seed(1)
    before = np.random.get_state()[1].tobytes()  # type: ignore[index,union-attr]
    second = masked(input_ids)
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[index,union-attr]
    assert (first.input_ids == second.input_ids).all()


def test_the_vocabulary_of_a_tokenizer() -> None:
    from bertsmith.tokenization.folder import make_tokenizer

    tokenizer = make_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c"], cased=False)
    vocabulary = Vocabulary.of(tokenizer)
    assert (vocabulary.size, vocabulary.pad, vocabulary.cls, vocabulary.sep, vocabulary.mask) == (8, 0, 2, 3, 4)
    assert vocabulary.special == (0, 1, 2, 3, 4)
    assert vocabulary.regular.tolist() == [5, 6, 7]
    assert vocabulary.continues.tolist() == [False] * 7 + [True]
    assert vocabulary.special_or_padding.tolist() == [True] * 5 + [False] * 3


# The same, literally

Chosen = dict[int, tuple[int, int]]
"""The masked columns of an example, with what stands there afterwards and where the unit of each starts."""


def literal_mask(
    row: Sequence[int], width: int, rule: MaskingRule, vocabulary: Vocabulary, *, seed: int, epoch: int, index: int
) -> Chosen:
    """The rule of masking for one example without its padding, word by word, fed with the same draws."""

    def draw(purpose: str, column: int) -> int:
        return int(random.bits(random.key(purpose, seed), epoch, index, column))

    def number(drawn: int) -> float:
        return (drawn >> 11) / 2**53

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
    order = sorted(range(len(words)), key=lambda word: draw("masks", words[word][0]) >> 1)
    for first in order:
        start = words[first][0]
        most = 1
        if rule.unit == SPAN:
            shares = [0.2 * 0.8**length for length in range(10)]
            drawn = number(draw("spans", start)) * sum(shares)
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
        kind = number(draw("mask kinds", start)) * 100
        new = row[column]
        if kind < rule.split[0]:
            new = vocabulary.mask
        elif kind < rule.split[0] + rule.split[1]:
            new = int(vocabulary.regular[draw("random tokens", column) % len(vocabulary.regular)])
        result[column] = new, start
    return result


@pytest.mark.parametrize("unit", [TOKEN, WORD, SPAN])
@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        # Special tokens anywhere; every second other one goes on with a word.
        st.lists(
            st.one_of(st.sampled_from((1, 2, 3, 4)), st.integers(5, 79), st.integers(80, 119), st.integers(80, 119)),
            min_size=1,
            max_size=40,
        ),
        min_size=1,
        max_size=5,
    ),
    rate=st.sampled_from([0.01, 0.05, 0.15, 0.4, 1.0]),
    split=st.sampled_from([(80, 10, 10), (30, 40, 30)]),
    seed=st.integers(0, 1000),
)
def test_a_batch_is_masked_as_one_example_after_the_other(
    unit: str, rows: list[list[int]], rate: float, split: tuple[float, float, float], seed: int
) -> None:
    width = 40
    input_ids = np.full((len(rows), width), PAD, np.int64)
    for place, row in enumerate(rows):
        input_ids[place, : len(row)] = row
    rule = MaskingRule(rate, split, unit)
    epochs, indices = np.arange(len(rows)) % 2, np.arange(len(rows)) * 5 + seed
    batch = mask_batch(input_ids, rule, VOCABULARY, seed=seed, epochs=epochs, indices=indices)
    expected: dict[int, int] = {}
    for place, row in enumerate(rows):
        chosen = literal_mask(
            row, width, rule, VOCABULARY, seed=seed, epoch=int(epochs[place]), index=int(indices[place])
        )
        expected.update({place * width + column: new for column, (new, _) in chosen.items()})
    assert batch.positions.tolist() == sorted(expected)
    assert batch.input_ids.reshape(-1)[batch.positions].tolist() == [expected[place] for place in sorted(expected)]


def test_a_draw_goes_on_from_the_counters_before() -> None:
    epochs, indices, columns = np.array([0, 3, 2**40]), np.array([7, 2**63 - 1, 0]), np.arange(5)
    all_at_once = random.bits(11, epochs[:, None], indices[:, None], columns)
    first = random.bits(11, epochs, indices)
    before = first.copy()
    assert (random.further(first[:, None], columns) == all_at_once).all()
    assert (first == before).all(), "the draws that it goes on from are changed"
    keys = np.array([11, 2**64 - 1], np.uint64)
    for base, drawn in zip(keys.tolist(), random.further(keys[:, None], epochs), strict=True):
        assert (drawn == random.bits(base, epochs)).all()
    assert all_at_once.dtype == np.uint64
    assert [int(random.bits(11, 3, 2**63 - 1, column)) for column in range(5)] == all_at_once[1].tolist()


def test_the_length_of_a_span_is_that_of_a_search() -> None:
    """At the ends of each share, too."""
    borders = np.floor(masks.SPAN_LENGTHS[:-1] * 2.0**53).astype(np.uint64)
    steps = np.array([0, 1, 2], np.uint64)
    near = (borders[:, None] + steps - np.uint64(1)).reshape(-1) << np.uint64(11)
    drawn = np.concatenate([near, random.bits(0, np.arange(1_000)), np.array([0, 2**64 - 1], np.uint64)])
    expected = 1 + np.searchsorted(masks.SPAN_LENGTHS, random.uniform(drawn), side="right")
    assert masks._span_lengths(drawn).tolist() == expected.tolist()


# A million draws of each kind, with bounds that chance passes once in a million runs

STANDARD_DEVIATIONS = 4.8916
"""The normal distribution is farther out on either side with probability 10^-6."""


def check_share(what: str, count: int, total: int, share: float) -> None:
    """A count of independent draws is that of its share."""
    away = (count - total * share) / math.sqrt(total * share * (1 - share))
    assert abs(away) <= STANDARD_DEVIATIONS, f"{what}: {count} of {total}, {away:.1f} standard deviations from {share}"


def check_chi_square(what: str, statistic: float, degrees: int) -> None:
    """Neither too uneven nor too even (Wilson and Hilferty 1931)."""
    third = 2 / (9 * degrees)
    low, high = (degrees * max(0.0, 1 - third + side * STANDARD_DEVIATIONS * math.sqrt(third)) ** 3 for side in (-1, 1))
    assert low <= statistic <= high, f"{what}: chi-square {statistic:.1f} at {degrees} degrees of freedom"


@dataclass
class ConfusionCounts:
    """What was masked, over many batches, of examples whose text is of other entries than random tokens are."""

    examples: list[tuple[int, int]]
    """The tokens of each example and how many of them are masked."""
    masked: int
    random: int
    kept: int
    columns: Ints
    """How often each column is masked."""
    replacements: Ints
    """How often each id stands in for another one."""

    @property
    def total(self) -> int:
        return self.masked + self.random + self.kept


WIDTH = 128


def confusion_counts(
    rule: MaskingRule, predictions: int, *, full: bool, vocabulary: Vocabulary = APART
) -> ConfusionCounts:
    """Mask examples until there are so many predictions; either full ones, or of 5 to 128 tokens."""
    found = ConfusionCounts([], 0, 0, 0, np.zeros(WIDTH, np.int64), np.zeros(SIZE, np.int64))
    generator, start = np.random.default_rng(0), 0
    while found.total < predictions:
        lengths = np.full(4_000, WIDTH) if full else generator.integers(5, WIDTH + 1, 4_000)
        input_ids = generator.integers(5, 50, (len(lengths), WIDTH))
        columns = np.arange(WIDTH)
        input_ids[columns >= lengths[:, None]] = PAD
        input_ids[(columns == 0) | (columns == lengths[:, None] // 2) | (columns == lengths[:, None] - 1)] = SEP
        batch = masked(input_ids, rule, indices=start + np.arange(len(lengths)), vocabulary=vocabulary)
        start += len(lengths)
        new = batch.input_ids.reshape(-1)[batch.positions]
        counts = np.bincount(batch.positions // WIDTH, minlength=len(lengths))
        found.examples += zip(lengths.tolist(), counts.tolist(), strict=True)
        is_mask, is_same = new == MASK, new == batch.labels
        found.masked += int(is_mask.sum())
        found.kept += int(is_same.sum())
        found.random += int((~is_mask & ~is_same).sum())
        found.columns += np.bincount(batch.positions % WIDTH, minlength=WIDTH)
        found.replacements += np.bincount(new[~is_mask & ~is_same], minlength=SIZE)
    return found


def check_number(found: ConfusionCounts) -> None:
    """15% of each example, exactly; of one with few tokens no more than it has."""
    for tokens, count in found.examples:
        assert count == max(1, min(20, round(0.15 * tokens))), f"{count} of {tokens} tokens"


def check_split(found: ConfusionCounts) -> None:
    """80% [MASK], 10% another token, 10% kept."""
    check_share("[MASK]", found.masked, found.total, 0.8)
    check_share("random", found.random, found.total, 0.1)
    check_share("kept", found.kept, found.total, 0.1)


def check_columns(found: ConfusionCounts) -> None:
    """No column of a full example is more likely than another."""
    special = [0, WIDTH // 2, WIDTH - 1]
    assert found.columns[special].sum() == 0, "a special token is masked"
    counts = np.delete(found.columns, special)
    size, share = len(counts), found.columns.sum() / len(found.examples) / len(counts)
    # Drawn without putting back: the counts of the columns vary less than independent ones, by this.
    check_chi_square("columns", chi_square_of(counts) / ((1 - share) * size / (size - 1)), size - 1)


def check_replacements(found: ConfusionCounts) -> None:
    """A random token is never special and of the others each is as likely."""
    assert found.replacements[list(SPECIAL)].sum() == 0, "a special token is put in"
    regular = np.arange(50, FIRST_PIECE)
    assert np.delete(found.replacements, regular).sum() == 0
    check_chi_square("random tokens", chi_square_of(found.replacements[regular]), len(regular) - 1)


MILLION = 1_000_000


def test_a_million_masks_of_full_examples() -> None:
    found = confusion_counts(MaskingRule(), MILLION, full=True)
    assert found.total >= MILLION
    check_number(found)
    check_split(found)
    check_columns(found)
    check_replacements(found)


def test_a_million_masks_of_examples_of_any_length() -> None:
    found = confusion_counts(MaskingRule(), MILLION, full=False)
    assert found.total >= MILLION and len({tokens for tokens, _ in found.examples}) == WIDTH - 4
    check_number(found)
    check_split(found)


def test_a_million_random_tokens() -> None:
    found = confusion_counts(MaskingRule(0.4, (0, 100, 0)), MILLION, full=True)
    assert found.random == found.total >= MILLION
    check_replacements(found)


def test_the_checks_fail_for_a_rate_of_14_percent() -> None:
    for full in (True, False):
        with pytest.raises(AssertionError, match=r"of \d+ tokens"):
            check_number(confusion_counts(MaskingRule(0.14), 100_000, full=full))


def test_the_checks_fail_for_a_split_of_75_15_10() -> None:
    found = confusion_counts(MaskingRule(split=(75, 15, 10)), 100_000, full=True)
    with pytest.raises(AssertionError, match=r"\[MASK\]: .* -\d+\.\d standard deviations from 0\.8"):
        check_split(found)
    with pytest.raises(AssertionError, match=r"random: .* \d+\.\d standard deviations from 0\.1"):
        check_share("random", found.random, found.total, 0.1)
    with pytest.raises(AssertionError, match="standard deviations"):
        check_split(confusion_counts(MaskingRule(split=(80, 12, 8)), 100_000, full=True))
    check_number(found)
    check_columns(found)


def test_the_checks_fail_for_columns_and_tokens_that_are_not_uniform() -> None:
    def early_first(base: int, *counters: Any) -> random.Bits:
        # The first quarter of the columns is drawn a little smaller.
        drawn = true_bits(base, *counters)
        if base != random.key("masks", 0):
            return drawn
        return np.where(counters[2] < 32, drawn - drawn // np.uint64(20), drawn)

    true_bits = random.bits
    with mock.patch.object(random, "bits", early_first):
        found = confusion_counts(MaskingRule(), 100_000, full=True)
    check_number(found)
    with pytest.raises(AssertionError, match="columns: chi-square"):
        check_columns(found)

    twice = replace(APART, regular=np.append(APART.regular, 60))
    with pytest.raises(AssertionError, match="random tokens: chi-square"):
        check_replacements(confusion_counts(MaskingRule(), 300_000, full=True, vocabulary=twice))
    special = replace(APART, regular=np.append(APART.regular, SEP))
    with pytest.raises(AssertionError, match="a special token is put in"):
        check_replacements(confusion_counts(MaskingRule(), 20_000, full=True, vocabulary=special))
    even = ConfusionCounts(
        [], 0, 0, 0, np.full(WIDTH, 1_000), np.full(SIZE, 1_000) * np.isin(np.arange(SIZE), APART.regular)
    )
    with pytest.raises(AssertionError, match=r"chi-square 0\.0"):
        check_replacements(even)


# Whole words and spans

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


@dataclass(frozen=True)
class Units:
    """What `mask_batch` chose: of each example its units, the columns of each by the one where it starts."""

    batch: MaskedBatch
    of: list[dict[int, list[int]]]
    spans: Ints
    """int64 of [batch, length]: the drawn length of the span that would start there."""


def units_of(input_ids: Ints, rule: MaskingRule, **options: Any) -> Units:
    """Mask by words or spans, and note what was chosen together."""
    noted: list[Any] = []

    def noting(*arguments: Any) -> Any:
        result = true(*arguments)
        noted.extend((arguments[2], *result))
        return result

    true = masks._units
    with mock.patch.object(masks, "_units", noting):
        batch = masked(input_ids, rule, vocabulary=APART, **options)
    spans, flat, starts = noted
    assert flat is batch.positions
    found: list[dict[int, list[int]]] = [{} for _ in input_ids]
    width = input_ids.shape[1]
    for place, start in zip(flat.tolist(), starts.tolist(), strict=True):
        found[place // width].setdefault(start, []).append(place % width)
    return Units(batch, found, spans)


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


def test_a_piece_without_its_words_beginning_is_a_word() -> None:
    """Truncation takes tokens from the front, too; and [UNK] is never masked."""
    for before in (CLS, SEP, 1):
        input_ids = np.array([[CLS, before, 90, 91, 20, SEP]], np.int64)
        chosen = {
            tuple(masked(input_ids, MaskingRule(0.34, unit=WORD), indices=np.array([index])).positions.tolist())
            for index in range(100)
        }
        assert chosen == {(2, 3), (4,)}


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


def check_span_lengths(examples_made: int) -> None:
    """1 to 10 words, geometric with p = 0.2 and cut off at 10; and where nothing is in the way a span is that long."""
    width, wanted = 64, 12
    row, words = text_of([1] * 58, width)
    lengths, unlimited = np.zeros(11, np.int64), 0
    for start in range(0, examples_made, 2_000):
        indices = start + np.arange(2_000)
        found = units_of(np.repeat(row, 2_000, axis=0), MaskingRule(0.2, unit=SPAN), indices=indices)
        lengths += np.bincount(found.spans.reshape(-1), minlength=11)
        drawn = random.bits(random.key("masks", 0), 0, indices[:, None], np.arange(width)[None, :])
        drawn[:, [0, *range(59, width)]] = 2**64 - 1
        for place, first in enumerate(np.argmin(drawn, axis=1).tolist()):
            units = found.of[place]
            assert sum(map(len, units.values())) == wanted
            if first + 10 <= words[-1][0] + 1:
                unlimited += 1
                assert len(units[first]) == found.spans[place, first]
    assert unlimited > examples_made / 2
    assert lengths[0] == 0 and len(lengths) == 11
    total = lengths.sum()
    expected = np.array([0.2 * 0.8 ** (length - 1) for length in range(1, 11)])
    expected *= total / expected.sum()
    check_chi_square("spans", float(((lengths[1:] - expected) ** 2 / expected).sum()), 9)
    assert lengths @ np.arange(11) / total == pytest.approx(3.8, abs=0.02), "SpanBERT's mean"


def test_the_lengths_of_spans() -> None:
    check_span_lengths(16_000)


@pytest.mark.parametrize("probability", [0.19, 0.21])
def test_the_check_of_spans_fails_for_another_distribution(probability: float) -> None:
    shares = probability * (1 - probability) ** np.arange(10)
    with (
        mock.patch.object(masks, "SPAN_LENGTHS", np.cumsum(shares / shares.sum())),
        pytest.raises(AssertionError, match="spans: chi-square"),
    ):
        check_span_lengths(4_000)


@pytest.mark.parametrize("unit", [WORD, SPAN])
def test_single_tokens_fill_the_number_that_is_wanted(unit: str) -> None:
    row, _ = text_of([1] * 60, 64)
    batch = masked(np.repeat(row, 300, axis=0), MaskingRule(unit=unit))
    assert (np.bincount(batch.positions // 64) == expected_count(0.15, 62, 64)).all()


@pytest.mark.parametrize("unit", [TOKEN, WORD, SPAN])
def test_an_example_of_special_tokens_alone_has_no_mask(unit: str) -> None:
    input_ids = np.array([[CLS, SEP, PAD, PAD], [CLS, 10, SEP, PAD]], np.int64)
    batch = masked(input_ids, MaskingRule(unit=unit))
    assert batch.positions.tolist() == [5] and batch.labels.tolist() == [10]
    assert masked(input_ids[:1], MaskingRule(unit=unit)).positions.tolist() == []


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

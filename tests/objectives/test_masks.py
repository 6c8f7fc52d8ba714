"""Masks of single tokens: their number, their places, what replaces them, and that each example has its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.objectives.masks import SPAN, TOKEN, WORD, MaskingRule
from support.chance import chi_square_limit, chi_square_of
from support.masks import CLS, MASK, PAD, SEP, SIZE, SPECIAL, VOCABULARY, examples, expected_count, masked


def within(count: int, total: int, share: float) -> bool:
    """Whether a count is within four standard deviations of its expectation."""
    return abs(count - total * share) <= 4 * math.sqrt(total * share * (1 - share))


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


@pytest.mark.parametrize("unit", [TOKEN, WORD, SPAN])
def test_an_example_of_special_tokens_alone_has_no_mask(unit: str) -> None:
    input_ids = np.array([[CLS, SEP, PAD, PAD], [CLS, 10, SEP, PAD]], np.int64)
    batch = masked(input_ids, MaskingRule(unit=unit))
    assert batch.positions.tolist() == [5] and batch.labels.tolist() == [10]
    assert masked(input_ids[:1], MaskingRule(unit=unit)).positions.tolist() == []

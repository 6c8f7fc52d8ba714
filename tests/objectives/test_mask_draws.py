"""A million masks of single tokens, within bounds that chance exceeds once in a million runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from bertsmith.objectives.masks import MaskingRule, Vocabulary
from bertsmith.runtime import random
from support.chance import check_chi_square, check_share, chi_square_of
from support.masks import APART, FIRST_PIECE, MASK, PAD, SEP, SIZE, SPECIAL, Ints, masked


@dataclass
class MaskCounts:
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


def count_masks(rule: MaskingRule, predictions: int, *, full: bool, vocabulary: Vocabulary = APART) -> MaskCounts:
    """Mask examples until there are so many predictions; either full ones, or of 5 to 128 tokens."""
    found = MaskCounts([], 0, 0, 0, np.zeros(WIDTH, np.int64), np.zeros(SIZE, np.int64))
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


def check_number(found: MaskCounts) -> None:
    """15% of each example, exactly; of one with few tokens no more than it has."""
    for tokens, count in found.examples:
        assert count == max(1, min(20, round(0.15 * tokens))), f"{count} of {tokens} tokens"


def check_split(found: MaskCounts) -> None:
    """80% [MASK], 10% another token, 10% kept."""
    check_share("[MASK]", found.masked, found.total, 0.8)
    check_share("random", found.random, found.total, 0.1)
    check_share("kept", found.kept, found.total, 0.1)


def check_columns(found: MaskCounts) -> None:
    """No column of a full example is more likely than another."""
    special = [0, WIDTH // 2, WIDTH - 1]
    assert found.columns[special].sum() == 0, "a special token is masked"
    counts = np.delete(found.columns, special)
    size, share = len(counts), found.columns.sum() / len(found.examples) / len(counts)
    # Drawn without putting back: the counts of the columns vary less than independent ones, by this.
    check_chi_square("columns", chi_square_of(counts) / ((1 - share) * size / (size - 1)), size - 1)


def check_replacements(found: MaskCounts) -> None:
    """A random token is never special and of the others each is as likely."""
    assert found.replacements[list(SPECIAL)].sum() == 0, "a special token is put in"
    regular = np.arange(50, FIRST_PIECE)
    assert np.delete(found.replacements, regular).sum() == 0
    check_chi_square("random tokens", chi_square_of(found.replacements[regular]), len(regular) - 1)


MILLION = 1_000_000


def test_a_million_masks_of_full_examples() -> None:
    found = count_masks(MaskingRule(), MILLION, full=True)
    assert found.total >= MILLION
    check_number(found)
    check_split(found)
    check_columns(found)
    check_replacements(found)


def test_a_million_masks_of_examples_of_any_length() -> None:
    found = count_masks(MaskingRule(), MILLION, full=False)
    assert found.total >= MILLION and len({tokens for tokens, _ in found.examples}) == WIDTH - 4
    check_number(found)
    check_split(found)


def test_a_million_random_tokens() -> None:
    found = count_masks(MaskingRule(0.4, (0, 100, 0)), MILLION, full=True)
    assert found.random == found.total >= MILLION
    check_replacements(found)


def test_the_checks_fail_for_a_rate_of_14_percent() -> None:
    for full in (True, False):
        with pytest.raises(AssertionError, match=r"of \d+ tokens"):
            check_number(count_masks(MaskingRule(0.14), 100_000, full=full))


def test_the_checks_fail_for_a_split_of_75_15_10() -> None:
    found = count_masks(MaskingRule(split=(75, 15, 10)), 100_000, full=True)
    with pytest.raises(AssertionError, match=r"\[MASK\]: .* -\d+\.\d standard deviations from 0\.8"):
        check_split(found)
    with pytest.raises(AssertionError, match=r"random: .* \d+\.\d standard deviations from 0\.1"):
        check_share("random", found.random, found.total, 0.1)
    with pytest.raises(AssertionError, match="standard deviations"):
        check_split(count_masks(MaskingRule(split=(80, 12, 8)), 100_000, full=True))
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
        found = count_masks(MaskingRule(), 100_000, full=True)
    check_number(found)
    with pytest.raises(AssertionError, match="columns: chi-square"):
        check_columns(found)

    twice = replace(APART, regular=np.append(APART.regular, 60))
    with pytest.raises(AssertionError, match="random tokens: chi-square"):
        check_replacements(count_masks(MaskingRule(), 300_000, full=True, vocabulary=twice))
    special = replace(APART, regular=np.append(APART.regular, SEP))
    with pytest.raises(AssertionError, match="a special token is put in"):
        check_replacements(count_masks(MaskingRule(), 20_000, full=True, vocabulary=special))
    even = MaskCounts(
        [], 0, 0, 0, np.full(WIDTH, 1_000), np.full(SIZE, 1_000) * np.isin(np.arange(SIZE), APART.regular)
    )
    with pytest.raises(AssertionError, match=r"chi-square 0\.0"):
        check_replacements(even)

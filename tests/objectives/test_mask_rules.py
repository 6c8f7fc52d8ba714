"""A batch is masked as the rules say, example by example and word by word, with the same random draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.objectives.masks import SPAN, TOKEN, WORD, MaskingRule, mask_batch
from bertsmith.runtime import random
from support.masks import PAD, VOCABULARY, literal_mask


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

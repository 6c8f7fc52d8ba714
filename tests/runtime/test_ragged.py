"""Flat lists against the loop over lists that they take the place of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.runtime.ragged import gather, offsets_of, sums

lists_of_numbers = st.lists(st.lists(st.integers(-(2**40), 2**40), max_size=6), max_size=12)


def flat(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([value for one in lists for value in one], np.int64)
    return values, np.array([len(one) for one in lists], np.int64)


@given(lists_of_numbers)
def test_offsets_and_sums_of_lists_of_any_length(lists: list[list[int]]) -> None:
    values, lengths = flat(lists)
    offsets = offsets_of(lengths)
    assert offsets.dtype == np.int64
    assert [values[start:stop].tolist() for start, stop in pairwise(offsets)] == lists
    assert sums(values, lengths).tolist() == [sum(one) for one in lists]


@given(lists_of_numbers, st.data())
def test_gather_takes_lists_in_any_order_and_more_than_once(lists: list[list[int]], data: st.DataObject) -> None:
    values, lengths = flat(lists)
    chosen = data.draw(st.lists(st.sampled_from(range(len(lists))), max_size=20)) if lists else []
    found = gather(values, offsets_of(lengths)[:-1][chosen], lengths[chosen])
    assert found.tolist() == [value for place in chosen for value in lists[place]]
    assert found.dtype == values.dtype


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), max_size=10))
def test_gather_of_pieces_that_overlap(pieces: list[tuple[int, int]]) -> None:
    values = np.arange(100, 130)
    starts, lengths = (np.array([piece[side] for piece in pieces], np.int64) for side in (0, 1))
    assert gather(values, starts, lengths).tolist() == [
        number for start, length in pieces for number in range(100 + start, 100 + start + length)
    ]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.int64])
def test_narrow_types_do_not_overflow(dtype: type) -> None:
    ones = np.ones(1_000, dtype)
    assert sums(ones, np.array([0, 300, 700, 0])).tolist() == [0, 300, 700, 0]
    assert offsets_of(ones)[-1] == 1_000
    large = np.full(3, np.iinfo(np.int32).max, np.int32)
    assert sums(large, np.array([3])).tolist() == [3 * (2**31 - 1)]
    assert offsets_of([2**31 - 1, 2**31 - 1]).tolist() == [0, 2**31 - 1, 2**32 - 2]

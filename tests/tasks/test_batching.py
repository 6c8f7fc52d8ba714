"""Batches by length: every text once, no batch over the budget, little padding."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bertsmith.tasks.batching import length_sorted_batches


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(1, 500))
def test_every_text_is_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(length_sorted_batches(lengths, budget))
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[number] for number in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60), st.integers(1, 500))
def test_lengths_rise_from_batch_to_batch_and_no_batch_could_take_the_next_text(
    lengths: list[int], budget: int
) -> None:
    batches = list(length_sorted_batches(lengths, budget))
    order = [lengths[number] for batch in batches for number in batch]
    assert order == sorted(order)
    for batch, following in pairwise(batches):
        assert lengths[following[0]] * (len(batch) + 1) > budget

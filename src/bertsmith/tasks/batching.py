"""Batches of texts of similar length, within a budget of tokens per batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

TOKENS_PER_BATCH = 4_096


def length_sorted_batches(lengths: Sequence[int], budget: int = TOKENS_PER_BATCH) -> Iterator[list[int]]:
    """Yield the indices of the texts in each batch; a padded batch has at most `budget` tokens.

    Texts of similar length share a batch, so little work is spent on padding. A text longer than the budget gets a
    batch to itself.
    """
    order = sorted(range(len(lengths)), key=lambda number: lengths[number])
    batch: list[int] = []
    for number in order:
        if batch and lengths[number] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch

"""Texts to batches: sorted by length, as many at once as a budget of tokens allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

TOKENS_PER_BATCH = 4_096


def length_sorted_batches(lengths: Sequence[int], budget: int = TOKENS_PER_BATCH) -> Iterator[list[int]]:
    """The numbers of the texts of each batch; no batch holds more than `budget` tokens after padding.

    Texts of like length stand together, so that little is computed on padding. A text longer than the budget
    is alone.
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

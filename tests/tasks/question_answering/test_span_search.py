"""The best spans equal those of a plain loop over all spans."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.tasks.question_answering.span_search import Spans, best_spans, merge_spans

Found = list[tuple[float, int, int]]


def every_span(start: list[float], end: list[float], first: int, count: int, longest: int) -> Found:
    """All spans of a row, best first."""
    spans = [
        (start[first + begin] + end[first + stop], begin, stop)
        for begin in range(count)
        for stop in range(begin, min(begin + longest, count))
    ]
    return sorted(spans, reverse=True)


def listed(spans: Spans, row: int) -> Found:
    columns = (spans.scores[row].tolist(), spans.starts[row].tolist(), spans.ends[row].tolist())
    return [span for span in zip(*columns, strict=True) if span[0] > -math.inf]


@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 4),
    length=st.integers(1, 40),
    top_k=st.integers(1, 25),
    longest=st.integers(1, 45),
)
def test_the_best_spans_are_those_of_a_loop(seed: int, rows: int, length: int, top_k: int, longest: int) -> None:
    draw = np.random.default_rng(seed)
    start, end = draw.normal(size=(2, rows, length)).astype(np.float32)
    first = draw.integers(0, length, rows)
    count = draw.integers(0, length - first + 1)
    found = best_spans(start, end, first, count=count, top_k=top_k, longest=longest)
    for row in range(rows):
        expected = every_span(start[row].tolist(), end[row].tolist(), int(first[row]), int(count[row]), longest)[:top_k]
        ours = listed(found, row)
        assert [span[1:] for span in ours] == [span[1:] for span in expected]
        assert [span[0] for span in ours] == pytest.approx([span[0] for span in expected], rel=1e-6)


def test_a_span_neither_runs_backwards_nor_is_too_long_nor_leaves_the_context() -> None:
    start, end = np.zeros((2, 1, 6), dtype=np.float32)
    start[0, 0], end[0, 5] = 9, 9  # outside of the context
    start[0, 3], end[0, 1] = 5, 4  # backwards
    found = best_spans(start, end, np.array([1]), count=np.array([4]), top_k=50, longest=2)
    spans = {(begin, stop) for _, begin, stop in listed(found, 0)}
    assert spans == {(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)}


@given(seed=st.integers(0, 10_000), top_k=st.integers(1, 6))
def test_windows_become_texts(seed: int, top_k: int) -> None:
    draw = np.random.default_rng(seed)
    owners = draw.integers(0, 4, 7)
    scores = draw.normal(size=(7, 5)).astype(np.float32)
    scores[draw.random((7, 5)) < 0.2] = -np.inf
    starts = draw.integers(0, 3, (7, 5))
    spans = Spans(scores, starts, starts + draw.integers(0, 2, (7, 5)))
    found = merge_spans(spans, owners, 4, top_k=top_k)
    assert found.scores.shape == (4, top_k)
    for owner in range(4):
        best: dict[tuple[int, int], float] = {}
        for row in np.flatnonzero(owners == owner):
            for score, begin, stop in listed(spans, int(row)):
                best[begin, stop] = max(score, best.get((begin, stop), -math.inf))
        expected = sorted(((score, *span) for span, score in best.items()), key=lambda span: -span[0])[:top_k]
        assert listed(found, owner) == expected

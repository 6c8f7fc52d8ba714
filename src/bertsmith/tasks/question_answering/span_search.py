"""Exact search for the best spans of a text, by the scores of their first and last tokens: no candidate is pruned.

The score of a span is the sum of its start logit and its end logit (Devlin et al. 2019, section 4.2). A span has at
least one and at most `longest` tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bertsmith.tasks.values import Ints, Logits


@dataclass(frozen=True)
class Spans:
    """The best spans of some texts, best first.

    Attributes:
        scores: float32 of [texts, spans]; minus infinity if a text has fewer spans.
        starts, ends: int64 of [texts, spans], first and last token (inclusive).
    """

    scores: Logits
    starts: Ints
    ends: Ints


def best_spans(start: Logits, end: Logits, first: Ints, *, count: Ints, top_k: int, longest: int) -> Spans:
    """Return the `top_k` best spans of each row of logits.

    If starts are ranked by their best span, the `top_k` best spans all begin at the `top_k` best starts, so only these
    starts are searched in full.

    Args:
        start, end: logits of [rows, length].
        first, count: int64 of [rows]: spans are within tokens `first` to `first + count` and numbered from `first`.
        top_k: spans per row, at least 1.
        longest: maximum tokens per span, at least 1.
    """
    length = start.shape[1]
    width = min(longest, length)
    places = np.arange(length)
    outside = (places < first[:, None]) | (places >= (first + count)[:, None])
    ends = np.pad(np.where(outside, np.float32(-np.inf), end), ((0, 0), (0, width - 1)), constant_values=-np.inf)
    behind = np.lib.stride_tricks.sliding_window_view(ends, width, axis=1)  # [rows, length, width]: ends of each start
    starts = np.where(outside, np.float32(-np.inf), start)
    chosen = _highest(starts + behind.max(axis=2), min(top_k, length))
    rows = np.arange(len(start))[:, None]
    candidates = (starts[rows, chosen][:, :, None] + behind[rows, chosen]).reshape(len(start), -1)
    flat = _highest(candidates, min(top_k, candidates.shape[1]))
    found = chosen[rows, flat // width]
    # Number tokens from `first`; spans with a score of minus infinity have no position.
    numbered = np.maximum(found - first[:, None], 0)
    return Spans(candidates[rows, flat], numbered, numbered + flat % width)


def _highest(scores: Logits, count: int) -> Ints:
    """Return the indices of the highest scores of each row, highest first: int64 of [rows, count]."""
    rows = np.arange(len(scores))[:, None]
    places = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    order: Ints = places[rows, np.argsort(-scores[rows, places], axis=1, kind="stable")]
    return order


def merge_spans(spans: Spans, owners: Ints, count: int, *, top_k: int) -> Spans:
    """Merge the spans of windows into the `top_k` best spans of each text; equal spans count once, with the best score.

    Args:
        spans: of [windows, spans], in tokens of the text.
        owners: int64 of [windows], the text of each window.
        count: number of texts.
    """
    valid = spans.scores.ravel() > -np.inf
    owner = np.repeat(owners, spans.scores.shape[1])[valid]
    scores, starts, ends = (part.ravel()[valid] for part in (spans.scores, spans.starts, spans.ends))
    order = np.lexsort((-scores, ends, starts, owner))
    same = [np.diff(part[order], prepend=-1) == 0 for part in (owner, starts, ends)]
    order = order[~np.logical_and.reduce(same)]
    order = order[np.lexsort((ends[order], starts[order], -scores[order], owner[order]))]
    owner = owner[order]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    order, owner, rank = order[rank < top_k], owner[rank < top_k], rank[rank < top_k]
    shape = (count, top_k)
    made = Spans(np.full(shape, -np.inf, np.float32), np.zeros(shape, np.int64), np.zeros(shape, np.int64))
    made.scores[owner, rank] = scores[order]
    made.starts[owner, rank], made.ends[owner, rank] = starts[order], ends[order]
    return made

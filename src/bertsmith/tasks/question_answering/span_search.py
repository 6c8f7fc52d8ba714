"""The best spans of a text by the scores of their first and last token, exactly: nothing is cut off before the search.

The score of a span is the sum of the logits of its start and its end (Devlin et al. 2019, section 4.2). A span ends
where it starts or behind, and has at most `longest` tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bertsmith.tasks.values import Ints, Logits


@dataclass(frozen=True)
class Spans:
    """The best spans of some texts, the best first.

    Attributes:
        scores: float32 of [texts, spans]; minus infinity if a text has fewer spans.
        starts, ends: int64 of [texts, spans], the first and the last token (inclusive).
    """

    scores: Logits
    starts: Ints
    ends: Ints


def best_spans(start: Logits, end: Logits, first: Ints, *, count: Ints, top_k: int, longest: int) -> Spans:
    """The `top` best spans of each row of logits.

    The best spans start at the best starts, a start being as good as its best span: so only as many starts as spans
    are looked at in full.

    Args:
        start, end: [rows, length], logits.
        first, count: int64 of [rows]: a span lies in the tokens `first` to `first + count`, and is numbered from there.
        top: spans per row, at least 1.
        longest: tokens per span, at least 1.
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
    # Tokens are numbered from the first one that a span may hold; a score of minus infinity has no place.
    numbered = np.maximum(found - first[:, None], 0)
    return Spans(candidates[rows, flat], numbered, numbered + flat % width)


def _highest(scores: Logits, count: int) -> Ints:
    """int64 of [rows, count]: the places of the highest scores of each row, the highest first."""
    rows = np.arange(len(scores))[:, None]
    places = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    order: Ints = places[rows, np.argsort(-scores[rows, places], axis=1, kind="stable")]
    return order


def merged(spans: Spans, owners: Ints, count: int, *, top_k: int) -> Spans:
    """The spans of windows as those of whole texts: the `top` best of each; the same span counts once, at its best.

    Args:
        spans: of [windows, spans], numbered by the tokens of the text.
        owners: int64 of [windows], the text of each.
        count: texts.
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

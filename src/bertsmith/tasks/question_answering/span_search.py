"""The best spans of a text by the scores of their first and last token, exactly: nothing is cut off before the search.

The score of a span is the sum of the logits of its start and its end (Devlin et al. 2019, section 4.2). A span ends
where it starts or behind, and has at most `longest` tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spans:
    """The best spans of some texts, the best first.

    Attributes:
        scores: float32 of [texts, spans]; minus infinity where a text has fewer spans.
        starts, ends: int64 of [texts, spans], the first and the last token (inclusive).
    """

    scores: Floats
    starts: Ints
    ends: Ints


def best_spans(start: Tensor, end: Tensor, first: Tensor, count: Tensor, *, top: int, longest: int) -> Spans:
    """The `top` best spans of each row of logits.

    The best spans start at the best starts, a start being as good as its best span: so only as many starts as spans
    are looked at in full.

    Args:
        start, end: [rows, length], logits.
        first, count: int64 of [rows]: a span lies in the tokens `first` to `first + count`, and is numbered from there.
        top: spans of a row, at least 1.
        longest: tokens of a span, at least 1.
    """
    length = start.shape[1]
    width = min(longest, length)
    places = torch.arange(length, device=start.device)
    outside = (places < first[:, None]) | (places >= (first + count)[:, None])
    starts = start.float().masked_fill(outside, -torch.inf)
    ends = functional.pad(end.float().masked_fill(outside, -torch.inf), (0, width - 1), value=-torch.inf)
    behind = ends.unfold(1, width, 1)  # [rows, length, width]: the ends that belong to each start
    _, chosen = (starts + behind.amax(2)).topk(min(top, length))
    candidates = starts.gather(1, chosen)[:, :, None] + behind.gather(1, chosen[:, :, None].expand(-1, -1, width))
    scores, flat = candidates.flatten(1).topk(min(top, candidates[0].numel()))
    found = chosen.gather(1, flat // width)
    # Tokens are numbered from the first one that a span may hold; minus infinity has no place of its own.
    numbered = (found - first[:, None]).clamp(min=0)
    last = numbered + flat % width
    return Spans(scores.cpu().numpy(), numbered.cpu().numpy(), last.cpu().numpy())


def merged(spans: Spans, owners: Ints, count: int, *, top: int) -> Spans:
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
    order, owner, rank = order[rank < top], owner[rank < top], rank[rank < top]
    shape = (count, top)
    made = Spans(np.full(shape, -np.inf, np.float32), np.zeros(shape, np.int64), np.zeros(shape, np.int64))
    made.scores[owner, rank] = scores[order]
    made.starts[owner, rank], made.ends[owner, rank] = starts[order], ends[order]
    return made

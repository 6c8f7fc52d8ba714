"""Spans of whole characters as a reader sees them: grapheme clusters (Unicode Standard Annex 29).

A tokenizer gives the place of each piece in code points. A piece may end inside a character: BERT's uncased tokenizers
strip marks, so the last mark of a word belongs to no piece, and a byte-level piece may be a part of a code point. Here
such places move outwards to the next border. A text without code points that join others costs one search; any other
text is divided into its clusters once (a quarter of a second for a million characters).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import regex

_CLUSTER = regex.compile(r"\X")
_JOINING = regex.compile(
    r"[\r\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}\p{GCB=Prepend}\p{GCB=Regional_Indicator}"
    r"\p{GCB=L}\p{GCB=V}\p{GCB=T}]"
)
"""Code points that can join others to a cluster (`\\r` because of CR LF). Without them each one is a cluster."""


def whole_clusters(
    text: str, starts: npt.ArrayLike, ends: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Spans of a text, each widened to the borders of the grapheme clusters that it begins and ends in.

    An empty span stays empty, at the border before it.

    Args:
        text: the text.
        starts, ends: the spans in code points, the end exclusive; each of [spans].
    """
    first, last = np.asarray(starts, dtype=np.int64), np.asarray(ends, dtype=np.int64)
    if _JOINING.search(text) is None:
        return first, last
    borders = np.array([0, *(match.end() for match in _CLUSTER.finditer(text))], dtype=np.int64)
    begins = borders[np.searchsorted(borders, first, side="right") - 1]
    return begins, np.where(first < last, borders[np.searchsorted(borders, last)], begins)

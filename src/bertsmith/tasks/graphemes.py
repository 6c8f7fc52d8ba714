"""Spans widened to whole user-perceived characters: grapheme clusters (Unicode Standard Annex 29).

A tokenizer gives the offsets of each token in code points. A token may end inside a character: BERT's uncased
tokenizers strip combining marks, so the last mark of a word is in no token, and a byte-level token may be part of a
code point. This module moves such offsets outwards to the nearest cluster boundary. A text without joining code points
costs one search; any other text is divided into clusters once (a quarter of a second per million characters).
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
"""Code points that can join others in a cluster (`\\r` due to CR LF). Without them, each code point is a cluster."""


def whole_clusters(
    text: str, starts: npt.ArrayLike, ends: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Widen spans of a text to the boundaries of the grapheme clusters in which they begin and end.

    An empty span stays empty, at the boundary before it.

    Args:
        text: the text.
        starts, ends: the spans in code points, end exclusive; each of [spans].
    """
    first, last = np.asarray(starts, dtype=np.int64), np.asarray(ends, dtype=np.int64)
    if _JOINING.search(text) is None:
        return first, last
    borders = np.array([0, *(match.end() for match in _CLUSTER.finditer(text))], dtype=np.int64)
    begins = borders[np.searchsorted(borders, first, side="right") - 1]
    return begins, np.where(first < last, borders[np.searchsorted(borders, last)], begins)

"""Lists of unequal length as flat arrays: all values, and where each list starts.

One NumPy call over flat arrays replaces a loop over the lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def offsets_of(lengths: npt.ArrayLike) -> Array:
    """Return int64 [lists + 1]: where each list starts in the values; the last element is the number of values."""
    array = np.asarray(lengths)
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(array, out=offsets[1:])
    return offsets


def gather(values: Array, starts: Array, lengths: Array) -> Array:
    """Return the values of some lists, concatenated: `values[start : start + length]` for each pair."""
    total = int(lengths.sum())
    if not total:
        return values[:0]
    first = offsets_of(lengths)[:-1]
    places = np.repeat(np.asarray(starts, np.int64) - first, lengths)
    places += np.arange(total)
    return values[places]


def sums(values: Array, lengths: Array) -> Array:
    """Return int64 [lists]: the sum of each list. The lists follow each other in `values` and may be empty."""
    running = offsets_of(values)
    offsets = offsets_of(lengths)
    result: Array = running[offsets[1:]] - running[offsets[:-1]]
    return result

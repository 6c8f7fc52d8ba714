"""Randomness as a pure function: every draw follows from (seed, purpose, epoch, index) and nothing else.

A state that is advanced draw by draw makes results depend on who drew before: on the number of workers, on a
restart. Here a draw is a hash of its coordinates, so order, pairs and masks are the same for any division of the
work, and the millionth example is found without drawing the ones before it.

Two forms: `bits`, a vectorised hash (SplitMix64's finaliser, Steele et al. 2014, over folded counters; about 2 ns a
draw) where every example needs its own draws, and `generator`, NumPy's Philox (Salmon et al. 2011) keyed by the
coordinates, where one long stream is wanted.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_27, _30, _31 = np.uint64(27), np.uint64(30), np.uint64(31)

Bits = npt.NDArray[np.uint64]


def _mix(value: Any) -> Any:
    """The finaliser; an array is overwritten, so that only the shifts need memory."""
    value ^= value >> _30
    value *= _MIX_1
    value ^= value >> _27
    value *= _MIX_2
    value ^= value >> _31
    return value


def key(*coordinates: int | str) -> int:
    """64 bits that stand for these coordinates, the same in every process and version of Python."""
    text = "\x1f".join(str(part) for part in coordinates).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def bits(base: int, *counters: npt.ArrayLike) -> Bits:
    """One hash of 64 bits for each element of the broadcast counters (non-negative integers)."""
    result: Any = np.uint64(base)
    for counter in counters:
        result = further(result, counter)
    return np.asarray(result, dtype=np.uint64)


def further(drawn: Bits | np.uint64, counter: npt.ArrayLike) -> Bits:
    """The draws of one more counter: `further(bits(base, a), b)` is `bits(base, a, b)`, and hashes `b` alone."""
    with np.errstate(over="ignore"):
        folded = np.asarray(counter).astype(np.uint64, copy=False)
        result: Bits = _mix((drawn + _GOLDEN) ^ _mix(folded * _GOLDEN + _GOLDEN))
    return result


def uniform(drawn: Bits) -> npt.NDArray[np.float64]:
    """The upper 53 bits of each hash as a number in [0, 1)."""
    return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generator(*coordinates: int | str) -> np.random.Generator:
    """A stream of its own for these coordinates."""
    return np.random.Generator(np.random.Philox(key=key(*coordinates)))

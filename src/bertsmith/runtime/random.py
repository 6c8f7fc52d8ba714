"""Randomness as a pure function: every draw depends only on (seed, purpose, epoch, index).

With a generator that has a state, results depend on earlier draws, and so on the number of workers and on restarts.
Here a draw is a hash of its coordinates. Order, pairs and masks are the same however the work is divided, and the
millionth example needs none of the draws before it.

Two forms: `bits`, a vectorised hash (SplitMix64's finaliser, Steele et al. 2014, over folded counters; about 2 ns per
draw), if every example needs its own draws; and `generator`, NumPy's Philox (Salmon et al. 2011) keyed by the
coordinates, for one long sequence.
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
    """Apply the finaliser in place, so that only the shifts need memory."""
    value ^= value >> _30
    value *= _MIX_1
    value ^= value >> _27
    value *= _MIX_2
    value ^= value >> _31
    return value


def key(*coordinates: int | str) -> int:
    """Hash coordinates to 64 bits, the same in every process and version of Python."""
    text = "\x1f".join(str(part) for part in coordinates).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def bits(base: int, *counters: npt.ArrayLike) -> Bits:
    """Return a 64-bit hash for each element of the broadcast counters (non-negative integers)."""
    result: Any = np.uint64(base)
    for counter in counters:
        result = further(result, counter)
    return np.asarray(result, dtype=np.uint64)


def further(drawn: Bits | np.uint64, counter: npt.ArrayLike) -> Bits:
    """Add a counter to existing draws: `further(bits(base, a), b)` equals `bits(base, a, b)` but hashes only `b`."""
    with np.errstate(over="ignore"):
        folded = np.asarray(counter).astype(np.uint64, copy=False)
        result: Bits = _mix((drawn + _GOLDEN) ^ _mix(folded * _GOLDEN + _GOLDEN))
    return result


def uniform(drawn: Bits) -> npt.NDArray[np.float64]:
    """Return the upper 53 bits of each hash as a number in [0, 1)."""
    return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generator(*coordinates: int | str) -> np.random.Generator:
    """Return a separate generator for these coordinates."""
    return np.random.Generator(np.random.Philox(key=key(*coordinates)))

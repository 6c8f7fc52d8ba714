"""Ranges and round ticks of axes, and downsampling of long series."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bertsmith.reporting.numbers import format_number

Point = tuple[float, float]

_LARGEST = 1e150
"""Differences of larger values may overflow, so larger values are not drawn."""

_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def is_drawable(value: float) -> bool:
    """Return whether a value can be drawn: finite and not absurdly large."""
    return math.isfinite(value) and abs(value) <= _LARGEST


def pad_range(low: float, high: float) -> tuple[float, float]:
    """Return the range, with some room around it if it is nearly a single value."""
    largest = max(abs(low), abs(high))
    if high - low > max(largest * 1e-6, 1e-100):
        return low, high
    room = largest * 0.05 if largest > 1e-90 else 0.5
    return low - room, high + room


def robust_range(values: Sequence[float], always: Sequence[float] = ()) -> tuple[float, float]:
    """Return the range of an axis for `values`, such that a few very high values do not flatten the rest.

    The top is the 98th percentile if the values above it would take more than a third of the height, as the first
    losses of a training do. With fewer than 50 values everything is shown. The values in `always` (reference lines)
    are always inside. `values` or `always` needs at least one value.
    """
    ordered = sorted(values) or sorted(always)
    low, high = ordered[0], ordered[-1]
    if len(ordered) >= 50:
        usual_high = ordered[int((len(ordered) - 1) * 0.98)]
        if high - usual_high > (usual_high - low) / 2 and usual_high > low:
            high = usual_high
    low, high = pad_range(min([low, *always]), max([high, *always]))
    margin = (high - low) * 0.05
    padded_low = low - margin
    return (0.0 if low >= 0 > padded_low else padded_low), high + margin


def nice_ticks(low: float, high: float, *, at_most: int = 6) -> list[float]:
    """Return at least two round, evenly spaced, ascending values inside [low, high].

    The step is 1, 2, 2.5 or 5 times a power of ten, with at most `at_most` steps.
    """
    low, high = pad_range(low, high)
    span = high - low
    magnitude = 10.0 ** math.floor(math.log10(span / at_most))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if span / (m * magnitude) <= at_most + 1e-9)
    # The tolerance keeps a tick at the very edge despite rounding: 0.3 / 0.05 is 5.999….
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Return short labels that are all different: 0.25, 1500, 12k, 3M, 2e-5; a single tick has all of its digits."""
    if len(ticks) == 1:
        return [format_number(int(ticks[0]) if ticks[0] == round(ticks[0]) else ticks[0])]
    step, largest = ticks[1] - ticks[0], max(abs(tick) for tick in ticks)
    unit, suffix = 1.0, ""
    if largest >= 10_000:
        unit, suffix = next(entry for entry in _UNITS if largest >= entry[0])
    decimals = _decimals(step / unit)
    if largest < 1e-3 or largest >= 1e15 or decimals is None:
        digits = math.ceil(math.log10(largest / step)) + 2
        return [_scientific(tick, digits) for tick in ticks]
    labels = [f"{tick / unit:.{decimals}f}" for tick in ticks]
    return [_signed(label + suffix) if float(label) else "0" for label in labels]


def downsample(points: Sequence[Point], *, at_most: int = 400) -> list[Point]:
    """Return the points; if there are more than `at_most`, the means of bins of neighbouring points."""
    size = math.ceil(len(points) / at_most)
    if size <= 1:
        return list(points)
    bins = [points[start : start + size] for start in range(0, len(points), size)]
    return [(math.fsum(x for x, _ in b) / len(b), math.fsum(y for _, y in b) / len(b)) for b in bins]


def _decimals(step: float) -> int | None:
    """Return the decimals that write `step` exactly, or None if that takes more than eight."""
    for decimals in range(9):
        scaled = step * 10**decimals
        if scaled >= 0.5 and abs(scaled - round(scaled)) < 1e-3 * scaled:
            return decimals
    return None


def _scientific(value: float, digits: int) -> str:
    """Return 2e-5 rather than 2.000e-05."""
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return "0" if float(mantissa) == 0 else _signed(f"{mantissa}e{int(exponent)}")


def _signed(label: str) -> str:
    return label.replace("-", "−", 1) if label.startswith("-") else label

"""Numbers for people, and which columns of a table hold numbers.

HTML reports, model cards and the terminal share these functions, so a number looks the same everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence

Cell = str | int | float | None
"""The content of a table cell; None is an empty cell."""

_WRITTEN_NUMBER = re.compile(r"[<>]?[-+−]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?\s?%?")


def format_number(value: int | float) -> str:
    """Return four significant digits of a float, or all digits of an int, with thousands separators."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "n/a"
    if abs(value) >= 1e15:
        return f"{value:.3e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def format_figure(value: float | None) -> str:
    """Return a metric that is not a share: four decimals, or two above 10."""
    return "" if value is None else f"{value:.2f}" if abs(value) > 10 else f"{value:.4f}"


def percent(share: float) -> str:
    """Return a share in percent: `0.8716` is `87.2%`. Only exact 0 and 1 become 0.0% and 100.0%."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


_SHARES = ("accuracy", "f1", "precision", "recall", "exact_match", "ece")
"""Endings of the names of metrics that are shares; correlations and errors are not."""


def most_of(metrics: Container[str]) -> float:
    """Return the largest value of a share among these metrics: 100 for SQuAD's metrics, else 1."""
    return 100.0 if "exact_match" in metrics else 1.0


def is_share(metric: str) -> bool:
    """Return whether a metric is a share, which is written in percent."""
    return metric.endswith(_SHARES)


def format_metric(metric: str, value: float | None, most: float = 1.0) -> str:
    """Return a metric as text: a share in percent, others as `format_figure`; `most` comes from `most_of`."""
    if value is None:
        return ""
    return percent(value / most) if is_share(metric) else format_figure(value)


def format_difference(metric: str, difference: float, most: float = 1.0) -> str:
    """Return a difference with its sign; between shares in percentage points: `+1.2 points`."""
    return f"{100 * difference / most:+z.1f} points" if is_share(metric) else f"{difference:+z.4f}"


def difference_interval(metric: str, low: float, high: float, *, most: float = 1.0) -> str:
    """Return the interval of a difference: `+1.0 to +9.0 points`."""
    first, last = (format_difference(metric, end, most) for end in (low, high))
    return f"{first.removesuffix(' points')} to {last}"


def interval_text(metric: str, low: float | None, high: float | None, *, most: float = 1.0) -> str:
    """Return the interval of a metric: `84.9% to 89.3%`."""
    return f"{format_metric(metric, low, most)} to {format_metric(metric, high, most)}"


def share_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95% interval of a share of `count` cases (Agresti and Coull 1998); never empty, even for 0 or 1."""
    middle = (share * count + 2) / (count + 4)
    half = 1.96 * math.sqrt(middle * (1 - middle) / (count + 4))
    return middle - half, middle + half


def format_cell(cell: Cell) -> str:
    """Return a cell as text: a number by `format_number`, a bool as yes or no."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return cell if isinstance(cell, str) else format_number(cell)


def numeric_columns(rows: Sequence[Sequence[Cell]], width: int) -> list[bool]:
    """Return for each of `width` columns whether all of its filled cells are numbers, or text such as "93.1 %"."""
    columns = [[row[index] for row in rows if index < len(row)] for index in range(width)]
    return [_is_numeric(column) for column in columns]


def _is_numeric(column: Sequence[Cell]) -> bool:
    filled = [cell for cell in column if cell is not None and cell != ""]
    return bool(filled) and all(_is_number(cell) for cell in filled)


def _is_number(cell: Cell) -> bool:
    if isinstance(cell, str):
        return _WRITTEN_NUMBER.fullmatch(cell) is not None
    return not isinstance(cell, bool)


def counted(count: int, noun: str) -> str:
    """Return `1 trial` or `2 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

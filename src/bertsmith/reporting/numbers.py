"""How numbers are written for people, and which columns of a table hold numbers.

One place for both, so that a figure reads the same in the HTML report and in the model card.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence

Cell = str | int | float | None
"""What a cell of a table may hold; `None` is an empty cell."""

_WRITTEN_NUMBER = re.compile(r"[<>]?[-+−]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?\s?%?")


def format_number(value: int | float) -> str:
    """Four significant digits for a float, all digits for an int; thousands are separated."""
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
    """A metric in a column of them: four digits behind the point, two where figures go to 100."""
    return "" if value is None else f"{value:.2f}" if abs(value) > 10 else f"{value:.4f}"


def percent(share: float) -> str:
    """A share for people: `0.8716` is `87.2%`. What is not quite none, or not quite all, never reads 0.0% or 100.0%."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


_SHARES = ("accuracy", "f1", "precision", "recall", "exact_match", "ece")
"""The ends of the names of metrics that are shares. Correlations and errors are none."""


def most_of(metrics: Container[str]) -> float:
    """The most that shares among these metrics can be: those of SQuAD go to 100."""
    return 100.0 if "exact_match" in metrics else 1.0


def is_share(metric: str) -> bool:
    """Whether a metric is a share, and so is written in per cent."""
    return metric.endswith(_SHARES)


def format_metric(metric: str, value: float | None, most: float = 1.0) -> str:
    """A metric for people: a share in per cent, any other figure as `format_figure`; `most` is as `most_of`."""
    if value is None:
        return ""
    return percent(value / most) if is_share(metric) else format_figure(value)


def format_difference(metric: str, difference: float, most: float = 1.0) -> str:
    """A difference of two figures with its sign; that of shares in percentage points: `+1.2 points`."""
    return f"{100 * difference / most:+z.1f} points" if is_share(metric) else f"{difference:+z.4f}"


def difference_interval(metric: str, low: float, high: float, *, most: float = 1.0) -> str:
    """`+1.0 to +9.0 points`: the ends of the interval of a difference."""
    first, last = (format_difference(metric, end, most) for end in (low, high))
    return f"{first.removesuffix(' points')} to {last}"


def interval_text(metric: str, low: float | None, high: float | None, *, most: float = 1.0) -> str:
    """`84.9% to 89.3%`: the ends of the interval of a metric."""
    return f"{format_metric(metric, low, most)} to {format_metric(metric, high, most)}"


def share_interval(share: float, count: int) -> tuple[float, float]:
    """The 95% interval of a share of so many (Agresti and Coull 1998): of some width even where all are right."""
    middle = (share * count + 2) / (count + 4)
    half = 1.96 * math.sqrt(middle * (1 - middle) / (count + 4))
    return middle - half, middle + half


def format_cell(cell: Cell) -> str:
    """A cell as text: a string as it is, a number by `format_number`, a bool as yes or no."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return cell if isinstance(cell, str) else format_number(cell)


def numeric_columns(rows: Sequence[Sequence[Cell]], width: int) -> list[bool]:
    """For each of `width` columns: whether all of its filled cells are numbers, or are written as numbers.

    A string such as "93.1 %" counts, so that a caller who chose the digits still gets an aligned column.
    """
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
    """`1 trial`, `2 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

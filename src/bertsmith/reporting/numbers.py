"""How numbers are written for people, and which columns of a table hold numbers.

One place for both, so that a figure reads the same in the HTML report and in the model card.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

Cell = str | int | float | None
"""What a cell of a table may hold; `None` is an empty cell."""

_WRITTEN_NUMBER = re.compile(r"[-+−]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?\s?%?")


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


def shortened(text: str, most: int) -> str:
    """A text in one line, its end cut off where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"

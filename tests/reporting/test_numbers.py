"""Numbers for people, and which columns are columns of numbers."""

from __future__ import annotations

import math

import pytest

from bertsmith.reporting.numbers import Cell, counted, format_cell, numeric_columns


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (None, ""),
        (True, "yes"),
        ("as it is", "as it is"),
        (7, "7"),
        (98_304_000, "98,304,000"),
        (5.51234, "5.512"),
        (1e-4, "0.0001"),
        (12345.6, "12,346"),
        (1e300, "1.000e+300"),
        (math.nan, "n/a"),
    ],
)
def test_format_cell(cell: Cell, written: str) -> None:
    assert format_cell(cell) == written


def test_numeric_columns() -> None:
    rows: list[list[Cell]] = [
        ["wikipedia", 1, "93.1 %", True, None, "1,024"],
        ["books", None, "−4", False, None, "3 books"],
    ]
    assert numeric_columns(rows, 6) == [False, True, True, False, False, False]


def test_one_has_the_word_of_one() -> None:
    counts = [counted(number, "trial") for number in (0, 1, 2, 1234)]
    assert counts == ["0 trials", "1 trial", "2 trials", "1,234 trials"]

"""Numbers for people, and which columns are columns of numbers."""

from __future__ import annotations

import math

import pytest

from bertsmith.reporting.numbers import (
    Cell,
    counted,
    format_cell,
    format_difference,
    format_metric,
    most_of,
    numeric_columns,
    percent,
)


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


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.8716, "87.2%"), (0, "0.0%"), (1, "100.0%"), (0.0001, "<0.1%"), (0.99999, ">99.9%"), (-0.05, "-5.0%")],
)
def test_percent(share: float, written: str) -> None:
    assert percent(share) == written
    assert numeric_columns([[written]], 1) == [True]


@pytest.mark.parametrize(
    ("metric", "value", "most", "written", "difference"),
    [
        ("accuracy", 0.8716, 1.0, "87.2%", "+87.2 points"),
        ("macro_f1", 0.5, 1.0, "50.0%", "+50.0 points"),
        ("f1", 81.25, 100.0, "81.2%", "+81.2 points"),
        ("exact_match", 0.4, 100.0, "0.4%", "+0.4 points"),
        ("matthews", 0.8716, 1.0, "0.8716", "+0.8716"),
        ("spearman", -0.1, 1.0, "-0.1000", "-0.1000"),
        ("mean_squared_error", 12.345, 1.0, "12.35", "+12.3450"),
    ],
)
def test_shares_are_in_per_cent_and_other_metrics_are_not(
    metric: str, value: float, most: float, written: str, difference: str
) -> None:
    assert format_metric(metric, value, most) == written
    assert format_difference(metric, value, most) == difference
    assert format_metric(metric, None, most) == ""


def test_the_figures_of_squad_go_to_100() -> None:
    assert most_of({"f1": 80.0, "exact_match": 70.0}) == 100 and most_of(["accuracy", "f1"]) == 1

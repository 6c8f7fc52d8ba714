"""The section of a search: whether the defaults are beaten, by how much, and every trial in the table."""

from __future__ import annotations

import re

import pytest

from bertsmith.records.search import SearchReport
from bertsmith.reporting.page import Page
from bertsmith.reporting.search_sections import add_search, caveat, outcome, space_in_words, trial_table


def record(*figures: float | None, best: int | None, lower: bool = False) -> SearchReport:
    """A search whose trials have these figures, with an interval of 0.1 to both sides; None for one that failed."""
    trials = [
        {
            "number": number,
            "settings": {"learning_rate": 1e-5 * (number + 1), "freeze_layers": number or None},
            "state": "failed" if figure is None else "finished",
            "dev": None if figure is None else {"value": figure, "low": figure - 0.1, "high": figure + 0.1},
            "why": "the loss is not finite" if figure is None else None,
            "best_step": None if figure is None else 7,
            "steps": None if figure is None else 9,
            "seconds": None if figure is None else 90.0,
        }
        for number, figure in enumerate(figures)
    ]
    gain = None
    if best is not None and figures and figures[0] is not None:
        gain = abs(figures[best] - figures[0])  # type: ignore[operator]
    found = {
        "metric": "mean_squared_error" if lower else "macro_f1",
        "lower_is_better": lower,
        "trials_wanted": 5,
        "seed": 4,
        "space": "learning_rate=1e-05..0.0001,batch_size=16|32",
        "best_trial": best,
        "gain": gain,
        "trials": trials,
    }
    return SearchReport.model_validate(found)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (
            record(0.5, 0.8, 0.6, best=1),
            "Trial 1 (learning_rate 2e-05, freeze_layers 1) beats the defaults by 30.0 points: macro f1 80.0% on the "
            "dev file, the defaults have 50.0%.",
        ),
        (
            record(0.5, 0.55, best=1),
            "Trial 1 (learning_rate 2e-05, freeze_layers 1) beats the defaults by 5.0 points: macro f1 55.0% on the "
            "dev file, the defaults have 50.0%. The defaults are inside its 95% interval (45.0% to 65.0%), so the dev "
            "file has too few examples to prove that they are worse.",
        ),
        (
            record(0.5, 0.5, 0.4, best=0),
            "No trial was better than the defaults, so the defaults are used: macro f1 50.0% on the dev file.",
        ),
        (
            record(None, 0.4, best=1),
            "The defaults failed: the loss is not finite. The best trial is 1 (learning_rate 2e-05, freeze_layers 1): "
            "macro f1 40.0% on the dev file.",
        ),
        (
            record(0.9, 0.3, lower=True, best=1),
            "Trial 1 (learning_rate 2e-05, freeze_layers 1) beats the defaults by 0.6000: mean squared error 0.3000 on "
            "the dev file, the defaults have 0.9000.",
        ),
        (record(None, best=None), "No trial is finished yet."),
        (record(best=None), "No trial is finished yet."),
    ],
)
def test_the_outcome_in_words(search: SearchReport, said: str) -> None:
    assert outcome(search) == said


def test_the_table() -> None:
    header, rows = trial_table(record(0.5, None, 0.8, 0.6, best=2))
    assert header == ["trial", "learning_rate", "freeze_layers", "macro f1", "low", "high", "minutes"]
    assert [row[0] for row in rows] == ["2 (best)", "3", "0 (defaults)", "1 (failed)"]
    assert rows[0][1:] == ["3e-05", "2", "80.0%", "70.0%", "90.0%", "1.5"]
    assert rows[2][2] == "not set"
    assert [row[0] for row in trial_table(record(0.9, 0.3, 0.5, best=1, lower=True))[1]] == [
        "1 (best)",
        "2",
        "0 (defaults)",
    ]
    assert trial_table(record(0.5, best=0))[1][0][0] == "0 (best, defaults)"


def test_one_trial_is_the_best_of_none() -> None:
    assert caveat(record(0.5, best=0)) == "This is one training with seed 4; a different seed gives a different result."
    assert caveat(record(0.5, 0.8, best=1)).startswith("The best of 2 results is slightly too good")


def test_the_page() -> None:
    page = Page("a run")
    add_search(page, record(0.5, None, 0.8, best=2))
    html = page.html()
    assert "3 of 5 trials so far; trial 0 has the defaults" in html
    assert "learning_rate 1e-05 to 0.0001, batch_size 16 or 32." in html
    assert "Trial 1: the loss is not finite" in html and "1 failed trial<" in html
    assert "macro f1 on the dev file of each trial" in html
    assert "The best of 3 results is slightly too good" in html and "seed 4" in html
    nothing = Page("a run")
    add_search(nothing, record(best=None))
    assert "0 of 5 trials so far" in nothing.html() and "<svg" not in nothing.html()


def test_the_chart_counts_in_whole_trials() -> None:
    page = Page("run")
    add_search(page, record(0.5, 0.8, best=1))
    ticks = re.findall(r'<text (?=[^>]*chart-tick)(?=[^>]*"middle")[^>]*>([^<]*)<', page.html())
    assert ticks == ["0", "1"]


def test_a_space_in_words() -> None:
    assert space_in_words("epochs=1..2,weight_decay=0|0.1") == "epochs 1 to 2, weight_decay 0 or 0.1"

"""How far a run is, by updates and by the clock."""

from __future__ import annotations

from typing import Any

import pytest

from bertsmith.records.run import TrainingLength
from bertsmith.reporting.run_progress import RunProgress, run_progress


def lines(count: int, seconds: float = 2.0) -> list[dict[str, Any]]:
    return [{"step": step, "seconds": seconds * step} for step in range(1, count + 1)]


def length(**given: Any) -> TrainingLength:
    return TrainingLength(**given)


@pytest.mark.parametrize(
    ("budget", "updates", "words"),
    [
        (length(steps=500), [], "no update yet"),
        (length(steps=500), lines(1), "update 1 of 500, 0% done"),
        (length(steps=500), lines(120), "update 120 of 500, 24% done, about 12:40 left"),
        (length(steps=500), lines(500), "update 500 of 500, 100% done, about 0:00 left"),
        (length(minutes=10), lines(120), "update 120, 40% done, about 6:00 left"),
        (length(minutes=1), lines(1200), "update 1,200, 100% done, about 0:00 left"),
        (None, lines(120), "update 120"),
        (length(steps=500), [{"step": 3}], "update 3 of 500, 1% done"),
    ],
)
def test_in_words(budget: TrainingLength | None, updates: list[dict[str, Any]], words: str) -> None:
    assert str(run_progress(budget, updates)) == words


def test_the_last_updates_foretell_the_rest() -> None:
    """Ninety quick updates, then thirty that take four seconds each: so will the others."""
    slow = [{"step": 90 + number, "seconds": 90 + 4.0 * number} for number in range(1, 31)]
    found = run_progress(length(steps=220), [*lines(90, 1.0), *slow])
    assert found == RunProgress(120, 220, pytest.approx(120 / 220), pytest.approx(400))

"""Processes agree on one time and one stop."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bertsmith.runtime import processes
from bertsmith.training.agreement import agree_on_clock_and_stop, agree_on_stop
from bertsmith.training.budget import Budget
from bertsmith.training.signals import StopRequest


def test_alone_a_process_has_its_own_clock_and_signal() -> None:
    budget, stop = Budget(minutes=1, seconds_before=30), StopRequest()
    assert not agree_on_clock_and_stop(budget, stop)
    assert budget.seconds == 30
    stop.requested = "SIGTERM"
    assert agree_on_clock_and_stop(budget, stop)
    assert stop.requested == "SIGTERM"


def test_the_latest_clock_and_the_signal_of_any_process_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_another(values: Sequence[float]) -> list[float]:
        return [max(pair) for pair in zip(values, (45.0, 1.0), strict=True)]

    monkeypatch.setattr(processes, "all_reduce_max", with_another)
    budget, stop = Budget(minutes=1, seconds_before=30), StopRequest()
    assert agree_on_clock_and_stop(budget, stop)
    assert budget.seconds == 45
    assert stop.requested == "a signal to another process"


@pytest.mark.parametrize("another", [0.0, 1.0])
def test_a_signal_of_any_process_after_the_last_update(monkeypatch: pytest.MonkeyPatch, another: float) -> None:
    monkeypatch.setattr(processes, "all_reduce_max", lambda values: [max(*values, another)])
    stop = StopRequest()
    assert agree_on_stop(stop) == bool(another)
    assert stop.requested == ("a signal to another process" if another else None)

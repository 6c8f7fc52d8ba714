"""The learning rate over a run, by updates and by the clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.training import budget as budget_module
from bertsmith.training.budget import FIRST_POSITION, Budget
from bertsmith.training.schedules import factor
from bertsmith.verbs.pretrain import pretrain
from support.trainer_events import after_event

SCHEDULES = ("wsd", "cosine", "linear")


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [
        *[(schedule, 0.0, 0.0) for schedule in SCHEDULES],
        *[(schedule, 0.05, 0.5) for schedule in SCHEDULES],
        *[(schedule, 0.1, 1.0) for schedule in SCHEDULES],
        *[(schedule, 1.0, 0.0) for schedule in SCHEDULES],
        ("wsd", 0.5, 1.0),
        ("wsd", 0.7, 1.0),
        ("wsd", 0.85, 0.5),
        ("linear", 0.55, 0.5),
        ("cosine", 0.55, 0.5),
        ("cosine", 0.325, 0.5 * (1 + math.cos(math.pi / 4))),
    ],
)
def test_values(schedule: str, progress: float, expected: float) -> None:
    assert factor(schedule, progress, warmup=0.1) == pytest.approx(expected, abs=1e-12)


@given(st.sampled_from(SCHEDULES), st.floats(-0.5, 1.5), st.floats(0, 0.99))
def test_it_stays_between_0_and_1(schedule: str, progress: float, warmup: float) -> None:
    assert 0 <= factor(schedule, progress, warmup) <= 1


@given(st.sampled_from(SCHEDULES), st.floats(0, 0.99), st.floats(0, 1), st.floats(0, 1))
def test_it_rises_until_the_warmup_is_over_and_never_after(
    schedule: str, warmup: float, first: float, second: float
) -> None:
    before, after = sorted((first, second))
    if after <= warmup:
        assert factor(schedule, before, warmup) <= factor(schedule, after, warmup) + 1e-12
    if before >= warmup:
        assert factor(schedule, before, warmup) >= factor(schedule, after, warmup) - 1e-12


def test_without_warmup_it_starts_at_the_top() -> None:
    assert [factor(schedule, 0.0, 0.0) for schedule in SCHEDULES] == [1.0] * 3


def test_a_budget_of_updates() -> None:
    budget = Budget(steps=4)
    assert [budget.progress(step) for step in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
    assert [budget.is_over(step) for step in range(6)] == [False] * 4 + [True] * 2
    positions = [budget.schedule_position(step) for step in range(4)]
    assert positions == pytest.approx([0.2, 0.4, 0.6, 0.8]), "an update at either end would have no learning rate"


class _Clock(SimpleNamespace):
    """A clock that stands still until it is moved."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(budget_module, "time", clock)
    return clock


def test_a_budget_of_minutes(clock: _Clock) -> None:
    budget = Budget(minutes=2, seconds_before=30)
    assert budget.elapsed() == 30, "before the start, only earlier parts count"
    budget.start()
    assert (budget.seconds, budget.progress(7)) == (30, 0.25)
    clock.now += 30
    assert (budget.elapsed(), budget.seconds, budget.progress(0)) == (60, 30, 0.25), "time is taken by tick alone"
    budget.tick()
    assert (budget.seconds, budget.progress(0), budget.is_over(0)) == (60, 0.5, False)
    clock.now += 60
    budget.tick()
    assert (budget.progress(0), budget.is_over(0)) == (1, True)
    clock.now += 60
    budget.tick()
    assert budget.progress(0) == 1


def test_processes_can_agree_on_a_time(clock: _Clock) -> None:
    budget = Budget(minutes=1)
    budget.start()
    clock.now += 12
    budget.tick(15.0)
    assert (budget.seconds, budget.progress(0)) == (15, 0.25)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_by_the_clock_no_update_is_wasted(clock: _Clock, schedule: str) -> None:
    """The first update would have no learning rate where the run has not begun yet; the last ones have little."""
    budget = Budget(minutes=1)
    budget.start()
    assert 0 < factor(schedule, budget.schedule_position(0), 0.06) < 0.05
    budget.tick(59.4)
    assert 0 < factor(schedule, budget.schedule_position(1000), 0.06) < 0.05


@pytest.fixture
def a_run_by_the_clock(little_store: Path, options: dict[str, Any], clock: _Clock) -> Iterator[Callable[..., None]]:
    """Runs `pretrain` with a clock on which every update takes six seconds."""

    def tick(*_: Any) -> None:
        clock.now += 6

    def call(out: Path, **more: Any) -> None:
        pretrain(little_store, out=out, **{**options, **more})

    with after_event("on_step_begin", tick):
        yield call


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_with_minutes_the_learning_rate_falls_by_the_clock(
    a_run_by_the_clock: Callable[..., None],
    metrics_of: Callable[[Path], list[dict[str, Any]]],
    tmp_path: Path,
    schedule: str,
) -> None:
    a_run_by_the_clock(tmp_path / "run", minutes=1, schedule=schedule, warmup=0.2)
    updates = [line for line in metrics_of(tmp_path / "run") if "grad_norm" in line]
    assert [line["step"] for line in updates] == list(range(1, 11)), "ten updates of six seconds are a minute"
    # The rate of an update is that of the time at which the one before it ended.
    expected = [1e-3 * factor(schedule, max(6 * done / 60, FIRST_POSITION), 0.2) for done in range(10)]
    rates = [line["learning_rate"] for line in updates]
    assert rates == pytest.approx(expected)
    assert rates[0] > 0
    assert rates[-1] < 0.4 * max(rates), "it ends decayed"


def test_a_resumed_run_by_the_clock_goes_on_with_the_time_that_is_left(
    a_run_by_the_clock: Callable[..., None],
    metrics_of: Callable[[Path], list[dict[str, Any]]],
    tmp_path: Path,
    signalled: Callable[..., AbstractContextManager[None]],
) -> None:
    from bertsmith.errors import Interrupted

    with signalled(4), pytest.raises(Interrupted):
        a_run_by_the_clock(tmp_path / "run", minutes=1, warmup=0.2)
    a_run_by_the_clock(tmp_path / "run", resume=True)
    a_run_by_the_clock(tmp_path / "unbroken", minutes=1, warmup=0.2)

    def rates(name: str) -> list[float]:
        return [line["learning_rate"] for line in metrics_of(tmp_path / name) if "grad_norm" in line]

    assert rates("run") == pytest.approx(rates("unbroken"))

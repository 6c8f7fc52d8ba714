"""Which examples each update takes: phases, ramps, shares of processes, and all of it resumed in its middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.training import budget as budget_module
from bertsmith.training.budget import Budget
from bertsmith.training.micro_batches import Batch
from bertsmith.training.trainer import ExactTrainer
from bertsmith.training.update_sampler import BatchRamp, Update, UpdateSampler
from bertsmith.verbs.pretrain import pretrain
from support.trainer_events import after_event

Weights = dict[str, torch.Tensor]
WeightsOf = Callable[[Path], Weights]
MetricsOf = Callable[[Path], list[dict[str, Any]]]
Options = dict[str, Any]


def test_without_phases_or_a_ramp_updates_take_one_example_after_another() -> None:
    assert list(UpdateSampler(Budget(steps=3), 16)) == [Update(0, 0, 16), Update(0, 16, 16), Update(0, 32, 16)]


def test_the_short_phase_ends_at_its_share_of_the_updates() -> None:
    updates = list(UpdateSampler(Budget(steps=10), 4, short_share=0.75))
    assert [update.phase for update in updates] == [0] * 8 + [1] * 2, "the update at 0.7 is the last before 0.75"
    assert [update.first for update in updates] == [4 * number for number in range(8)] + [0, 4]


def test_a_ramp_rises_in_steps_of_its_first_size() -> None:
    updates = list(UpdateSampler(Budget(steps=8), 16, ramp=BatchRamp(4, 0.5)))
    assert [update.examples for update in updates] == [4, 4, 8, 12, 16, 16, 16, 16]


def test_a_ramp_to_a_size_that_its_first_does_not_divide() -> None:
    updates = list(UpdateSampler(Budget(steps=8), 16, ramp=BatchRamp(6, 0.5)))
    assert [update.examples for update in updates] == [6, 6, 6, 12, 16, 16, 16, 16]


def test_the_same_examples_again() -> None:
    assert list(UpdateSampler(Budget(steps=3), 16, repeat_first=True)) == [Update(0, 0, 16)] * 3


shares = st.floats(0.01, 0.99)


@st.composite
def courses(draw: st.DrawFn) -> Callable[[], UpdateSampler]:
    """A way to make the same course again."""
    steps, batch_size = draw(st.integers(1, 60)), draw(st.integers(2, 64))
    ramp = draw(st.none() | st.builds(BatchRamp, st.integers(1, batch_size - 1), shares))
    short_share = draw(st.just(1.0) | shares)
    return lambda: UpdateSampler(Budget(steps=steps), batch_size, ramp=ramp, short_share=short_share)


@given(courses())
def test_every_example_of_a_phase_is_taken_once_and_in_order(make: Callable[[], UpdateSampler]) -> None:
    course, taken = make(), [0, 0]
    assert course.budget.steps is not None
    updates = list(course)
    assert len(updates) == len(course) == course.budget.steps
    for update in updates:
        assert update.first == taken[update.phase]
        taken[update.phase] += update.examples
    assert updates == list(make()), "it is a function of the options alone"
    phases = [update.phase for update in updates]
    assert phases == sorted(phases)
    if course.short_share < 1:
        assert phases == [int(step / course.budget.steps >= course.short_share) for step in range(len(updates))]
    else:
        assert set(phases) == {0}


@given(courses())
def test_a_ramp_is_monotone_and_full_at_its_share(make: Callable[[], UpdateSampler]) -> None:
    course = make()
    assert course.budget.steps is not None
    sizes = [update.examples for update in course]
    assert sizes == sorted(sizes)
    for step, size in enumerate(sizes):
        if course.ramp is None or step / course.budget.steps >= course.ramp.share:
            assert size == course.batch_size
        else:
            assert size % course.ramp.first == 0 and course.ramp.first <= size <= course.batch_size
    if course.ramp is not None:
        assert sizes[0] == course.ramp.first


@given(courses(), st.data())
def test_a_course_goes_on_anywhere(make: Callable[[], UpdateSampler], data: st.DataObject) -> None:
    whole = list(make())
    at = data.draw(st.integers(0, len(whole)))
    taken = [sum(update.examples for update in whole[:at] if update.phase == phase) for phase in (0, 1)]
    rest = make()
    rest.resume(at, taken)
    assert list(rest) == whole[at:]


def test_with_minutes_phases_and_ramp_follow_the_clock() -> None:
    budget = Budget(minutes=1)
    budget.start()
    updates = iter(UpdateSampler(budget, 8, ramp=BatchRamp(2, 0.25), short_share=0.5))
    assert list(islice(updates, 3)) == [Update(0, 0, 2), Update(0, 2, 2), Update(0, 4, 2)], "the clock stands still"
    budget.tick(14.9)
    assert next(updates) == Update(0, 6, 6)
    budget.tick(15.0)
    assert next(updates) == Update(0, 12, 8)
    budget.tick(30.0)
    assert next(updates) == Update(1, 0, 8)
    assert next(updates) == Update(1, 8, 8)


# Runs


@contextmanager
def watched() -> Iterator[list[tuple[Update, list[Batch]]]]:
    """The updates that runs make in the meantime, with their micro-batches."""
    seen: list[tuple[Update, list[Batch]]] = []
    original = ExactTrainer.make_update

    def make_update(self: ExactTrainer, model: Any, update: Update, batches: list[Batch]) -> None:
        seen.append((update, batches))
        original(self, model, update, batches)

    with mock.patch.object(ExactTrainer, "make_update", make_update):
        yield seen


def shapes(seen: list[tuple[Update, list[Batch]]]) -> list[tuple[int, int]]:
    """Examples and positions of each update."""
    return [
        (sum(len(batch.inputs["input_ids"]) for batch in batches), batches[0].inputs["input_ids"].shape[1])
        for _, batches in seen
    ]


COURSE = {"steps": 12, "dropout": 0.1, "batch_ramp": (4, 0.5), "short_phase": (32, 0.75), "save_every": 5}

SHAPES = [*[(4, 32)] * 2, *[(8, 32)] * 2, *[(12, 32)] * 2, *[(16, 32)] * 3, *[(16, 64)] * 3]


@pytest.fixture(scope="module")
def unbroken(little_store: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("course") / "run"
    with watched() as seen:
        pretrain(little_store, out=out, **{**options, **COURSE})
    assert shapes(seen) == SHAPES
    return out


def test_the_tokens_of_a_run_are_those_of_its_updates(unbroken: Path, metrics_of: MetricsOf) -> None:
    seen = [line["tokens_seen"] for line in metrics_of(unbroken) if "grad_norm" in line]
    each = [after - before for before, after in zip([0, *seen], seen, strict=False)]
    for tokens, (examples, length) in zip(each, SHAPES, strict=True):
        assert 0.7 * examples * length < tokens <= examples * length


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stops", [[5], [2, 10]], ids=["in the middle of both", "at the edges"])
def test_a_run_that_was_stopped_in_its_course_ends_in_the_same_weights(
    little_store: Path,
    options: Options,
    unbroken: Path,
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    assert_identical: Callable[[Weights, Weights], None],
    interrupted: Callable[..., None],
    tmp_path: Path,
    workers: int,
    stops: list[int],
) -> None:
    out = tmp_path / "run"
    interrupted(little_store, out, stops[0], **{**options, **COURSE}, workers=workers)
    for stop in stops[1:]:
        interrupted(little_store, out, stop, resume=True, workers=workers)
    with watched() as seen:
        pretrain(little_store, out=out, resume=True, workers=workers)
    assert shapes(seen) == SHAPES[stops[-1] :]
    assert_identical(weights_of(out), weights_of(unbroken))
    assert metrics_of(out) == metrics_of(unbroken)


def test_one_batch_again_and_again(little_store: Path, options: Options, metrics_of: MetricsOf, tmp_path: Path) -> None:
    with watched() as seen:
        pretrain(
            little_store, out=tmp_path / "run", **{**options, "learning_rate": 1e-2}, overfit_one_batch=True, steps=30
        )
    assert [update for update, _ in seen] == [Update(0, 0, 16)] * 30
    _, first = seen[0]
    for _, batches in seen[1:]:
        for one, other in zip(first, batches, strict=True):
            assert all(torch.equal(value, other.inputs[name]) for name, value in one.inputs.items())
    losses = [line["mlm_loss"] for line in metrics_of(tmp_path / "run") if "grad_norm" in line]
    assert losses[-1] < 0.8 * losses[0]


class _Clock(SimpleNamespace):
    """A clock that stands still until it is moved."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def six_seconds_an_update(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock on which every update takes six seconds."""
    clock = _Clock()

    def tick(*_: Any) -> None:
        clock.now += 6

    monkeypatch.setattr(budget_module, "time", clock)
    with after_event("on_step_begin", tick):
        yield


@pytest.mark.usefixtures("six_seconds_an_update")
def test_a_run_by_the_clock_changes_its_phase_by_the_clock(
    little_store: Path,
    options: Options,
    at_update: Callable[[int, Callable[[], None]], AbstractContextManager[None]],
    interrupted: Callable[..., None],
    tmp_path: Path,
) -> None:
    course = {**options, "minutes": 1, "short_phase": (32, 0.5), "batch_ramp": (8, 0.3)}
    wanted = [*[(8, 32)] * 3, *[(16, 32)] * 2, *[(16, 64)] * 5]
    with watched() as whole:
        pretrain(little_store, out=tmp_path / "whole", **course)
    assert shapes(whole) == wanted
    with watched() as parts:
        interrupted(little_store, tmp_path / "run", 4, **course)
        pretrain(little_store, out=tmp_path / "run", resume=True)
    assert [update for update, _ in parts] == [update for update, _ in whole]

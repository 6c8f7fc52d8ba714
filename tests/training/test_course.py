"""Which examples each update takes: phases, ramps, shares of processes, and all of it resumed in its middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from bertsmith.training.batches import UpdateBatches
from bertsmith.training.budget import Budget
from bertsmith.training.course import Course, Ramp, Update
from bertsmith.training.trainer import ExactTrainer
from bertsmith.verbs.pretrain import pretrain
from support.trainer_events import after_event

Weights = dict[str, torch.Tensor]
WeightsOf = Callable[[Path], Weights]
MetricsOf = Callable[[Path], list[dict[str, Any]]]
Options = dict[str, Any]
Batch = dict[str, Any]


def test_without_phases_or_a_ramp_updates_take_one_example_after_another() -> None:
    assert list(Course(Budget(steps=3), 16)) == [Update(0, 0, 16), Update(0, 16, 16), Update(0, 32, 16)]


def test_the_short_phase_ends_at_its_share_of_the_updates() -> None:
    updates = list(Course(Budget(steps=10), 4, short_share=0.75))
    assert [update.phase for update in updates] == [0] * 8 + [1] * 2, "the update at 0.7 is the last before 0.75"
    assert [update.first for update in updates] == [4 * number for number in range(8)] + [0, 4]


def test_a_ramp_rises_in_steps_of_its_first_size() -> None:
    updates = list(Course(Budget(steps=8), 16, ramp=Ramp(4, 0.5)))
    assert [update.examples for update in updates] == [4, 4, 8, 12, 16, 16, 16, 16]


def test_a_ramp_to_a_size_that_its_first_does_not_divide() -> None:
    updates = list(Course(Budget(steps=8), 16, ramp=Ramp(6, 0.5)))
    assert [update.examples for update in updates] == [6, 6, 6, 12, 16, 16, 16, 16]


def test_the_same_examples_again() -> None:
    assert list(Course(Budget(steps=3), 16, same=True)) == [Update(0, 0, 16)] * 3


shares = st.floats(0.01, 0.99)


@st.composite
def courses(draw: st.DrawFn) -> Callable[[], Course]:
    """A way to make the same course again."""
    steps, batch_size = draw(st.integers(1, 60)), draw(st.integers(2, 64))
    ramp = draw(st.none() | st.builds(Ramp, st.integers(1, batch_size - 1), shares))
    short_share = draw(st.just(1.0) | shares)
    return lambda: Course(Budget(steps=steps), batch_size, ramp=ramp, short_share=short_share)


@given(courses())
def test_every_example_of_a_phase_is_taken_once_and_in_order(make: Callable[[], Course]) -> None:
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
def test_a_ramp_is_monotone_and_full_at_its_share(make: Callable[[], Course]) -> None:
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
def test_a_course_goes_on_anywhere(make: Callable[[], Course], data: st.DataObject) -> None:
    whole = list(make())
    at = data.draw(st.integers(0, len(whole)))
    taken = [sum(update.examples for update in whole[:at] if update.phase == phase) for phase in (0, 1)]
    rest = make()
    rest.resume(at, taken)
    assert list(rest) == whole[at:]


def test_with_minutes_phases_and_ramp_follow_the_clock() -> None:
    budget = Budget(minutes=1)
    budget.start()
    updates = iter(Course(budget, 8, ramp=Ramp(2, 0.25), short_share=0.5))
    assert list(islice(updates, 3)) == [Update(0, 0, 2), Update(0, 2, 2), Update(0, 4, 2)], "the clock stands still"
    budget.tick(14.9)
    assert next(updates) == Update(0, 6, 6)
    budget.tick(15.0)
    assert next(updates) == Update(0, 12, 8)
    budget.tick(30.0)
    assert next(updates) == Update(1, 0, 8)
    assert next(updates) == Update(1, 8, 8)


# The shares of processes


def make_batch(numbers: Sequence[int]) -> Batch:
    return {"numbers": list(numbers), "loss_counts": torch.tensor([3.0, 1.0]), "num_tokens": 7}


@given(st.integers(0, 200), st.integers(1, 70), st.integers(1, 9), st.integers(1, 40))
def test_processes_share_every_update(first: int, examples: int, world_size: int, micro: int) -> None:
    update, everyone = Update(0, first, examples), []
    for rank in range(world_size):
        environment = {"RANK": str(rank), "WORLD_SIZE": str(world_size)}
        with mock.patch.dict("os.environ", environment):
            everyone.append(UpdateBatches([make_batch], micro_batch_size=micro).parts(update))
    assert len({len(parts) for parts in everyone}) == 1, "processes wait for each other in every micro-batch"
    assert all(len(part) <= micro for parts in everyone for part in parts)
    taken = [number for parts in everyone for part in parts for number in part]
    assert taken == list(range(first, first + examples))


def test_an_empty_micro_batch_has_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    _, (full, empty) = UpdateBatches([make_batch], micro_batch_size=7)[Update(0, 100, 15)]
    assert full["numbers"] == list(range(108, 115)) and "without_weight" not in full
    assert empty["numbers"] == [114] and empty["without_weight"]
    assert empty["loss_counts"].tolist() == [0, 0] and empty["num_tokens"] == 0


# Runs


@contextmanager
def watched() -> Iterator[list[tuple[Update, list[Batch]]]]:
    """The updates that runs make in the meantime, with their micro-batches."""
    seen: list[tuple[Update, list[Batch]]] = []
    original = ExactTrainer.training_step

    def training_step(self: ExactTrainer, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        seen.append(inputs)
        return original(self, model, inputs, *rest, **more)

    with mock.patch.object(ExactTrainer, "training_step", training_step):
        yield seen


def shapes(seen: list[tuple[Update, list[Batch]]]) -> list[tuple[int, int]]:
    """Examples and positions of each update."""
    return [
        (sum(len(batch["input_ids"]) for batch in batches), batches[0]["input_ids"].shape[1]) for _, batches in seen
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
            assert all(
                torch.equal(value, other[name]) for name, value in one.items() if isinstance(value, torch.Tensor)
            )
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

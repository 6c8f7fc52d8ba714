"""A run that no longer gains ends early, and its model is that of the lowest held-out loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from bertsmith.runtime.files import read_json
from bertsmith.training.trainer import ExactTrainer
from bertsmith.verbs import pretrain as pretrain_module
from bertsmith.verbs.pretrain import pretrain

Weights = dict[str, torch.Tensor]
WeightsOf = Callable[[Path], Weights]
MetricsOf = Callable[[Path], list[dict[str, Any]]]
Identical = Callable[[Weights, Weights], None]
Options = dict[str, Any]

FALLING_THEN_RISING = {2: 3.0, 4: 2.5, 6: 2.6, 8: 2.7, 10: 1.0}
"""The held-out loss after each update: 4 is the best where the run ends after two without gain."""


@contextmanager
def held_out_losses(figures: dict[int, float], name: str = "mlm_nats_per_masked_token") -> Iterator[None]:
    """Let evaluations during a run find these figures, by update."""
    original = pretrain_module.make_trainer

    def make_trainer(*args: Any) -> ExactTrainer:
        trainer = original(*args)
        measure = trainer.evaluation.settings.measure
        assert measure is not None
        trainer.evaluation.settings = replace(
            trainer.evaluation.settings,
            measure=lambda model: measure(model) | {name: figures[trainer.state.global_step]},
        )
        return trainer

    with mock.patch.object(pretrain_module, "make_trainer", make_trainer):
        yield


@pytest.fixture
def course(options: Options) -> Options:
    return {**options, "steps": 10, "eval_every": 2, "save_every": 1, "patience": 2, "dropout": 0.1}


@pytest.fixture(scope="module")
def stopped_early(little_store: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run that ends at update 8 of 10, because that of update 4 is the best."""
    out = tmp_path_factory.mktemp("early") / "run"
    with held_out_losses(FALLING_THEN_RISING):
        result = pretrain(
            little_store, out=out, **options, steps=10, eval_every=2, save_every=1, patience=2, dropout=0.1
        )
    return out, result


def test_it_ends_after_so_many_evaluations_without_gain(stopped_early: tuple[Path, Any], metrics_of: MetricsOf) -> None:
    out, result = stopped_early
    assert (result.steps, result.best_step) == (8, 4)
    assert read_json(out / "run.json")["result"]["best_step"] == 4
    assert metrics_of(out)[-1]["step"] == 8


def test_the_model_is_the_best_one(
    stopped_early: tuple[Path, Any], weights_of: WeightsOf, assert_identical: Identical
) -> None:
    out, _ = stopped_early
    assert_identical(weights_of(out), weights_of(out / "checkpoints" / "step-4"))
    last = weights_of(out / "checkpoints" / "step-8")
    assert any(not torch.equal(value, last[name]) for name, value in weights_of(out).items())


def test_the_figures_are_those_of_the_best_one(
    stopped_early: tuple[Path, Any], little_store: Path, tmp_path: Path
) -> None:
    out, result = stopped_early
    again = pretrain(
        little_store, out=tmp_path / "run", from_=str(out), steps=1, batch_size=4, sequence_length=64, precision="fp32"
    )
    assert again.evaluation_before == result.evaluation


def test_the_best_checkpoint_is_kept_with_the_last_one(stopped_early: tuple[Path, Any]) -> None:
    out, _ = stopped_early
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step-4", "step-8"]


@pytest.mark.parametrize("stop", [5, 7])
def test_a_resumed_run_counts_on(
    stopped_early: tuple[Path, Any],
    course: Options,
    little_store: Path,
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    assert_identical: Identical,
    interrupted: Callable[..., None],
    tmp_path: Path,
    stop: int,
) -> None:
    with held_out_losses(FALLING_THEN_RISING):
        interrupted(little_store, tmp_path / "run", stop, **course)
        result = pretrain(little_store, out=tmp_path / "run", resume=True)
    assert (result.steps, result.best_step, result.resumed_from_step) == (8, 4, stop)
    assert metrics_of(tmp_path / "run") == metrics_of(stopped_early[0])
    assert_identical(weights_of(tmp_path / "run"), weights_of(stopped_early[0]))


def test_with_more_patience_it_goes_on_to_the_last_gain(
    course: Options, little_store: Path, weights_of: WeightsOf, assert_identical: Identical, tmp_path: Path
) -> None:
    """The weights at the end of a run are judged as well: in most runs they are the best."""
    out = tmp_path / "run"
    with held_out_losses(FALLING_THEN_RISING):
        result = pretrain(little_store, out=out, **course | {"patience": 3})
    assert (result.steps, result.best_step) == (10, 10)
    assert_identical(weights_of(out), weights_of(out / "checkpoints" / "step-10"))


def test_a_run_that_comes_to_its_end_has_its_best_weights_too(
    course: Options, little_store: Path, weights_of: WeightsOf, assert_identical: Identical, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with held_out_losses(FALLING_THEN_RISING | {10: 2.55}):
        result = pretrain(little_store, out=out, **course | {"patience": 3, "save_every": 100})
    assert (result.steps, result.best_step) == (10, 4)
    assert_identical(weights_of(out), weights_of(out / "checkpoints" / "step-4"))


def test_without_patience_it_does_not_end_early(course: Options, little_store: Path, tmp_path: Path) -> None:
    with held_out_losses(FALLING_THEN_RISING):
        result = pretrain(little_store, out=tmp_path / "run", **course | {"patience": None})
    assert (result.steps, result.best_step) == (10, None)


def test_patience_that_comes_with_a_resume(
    course: Options, little_store: Path, interrupted: Callable[..., None], tmp_path: Path
) -> None:
    """The best update so far has no checkpoint left; only what comes can be gone back to."""
    out = tmp_path / "run"
    with held_out_losses(FALLING_THEN_RISING | {10: 2.65}):
        interrupted(little_store, out, 7, **course | {"patience": None, "save_every": 3})
        result = pretrain(little_store, out=out, resume=True, patience=2)
    assert (result.steps, result.best_step) == (10, 10)


def test_next_sentence_prediction_alone_is_judged_by_its_own_loss(
    course: Options, little_store: Path, tmp_path: Path
) -> None:
    with held_out_losses(FALLING_THEN_RISING, "nsp_nats_per_pair"):
        result = pretrain(little_store, out=tmp_path / "run", **course, objective="nsp")
    assert (result.steps, result.best_step) == (8, 4)

"""Evaluation during training, without a Trainer: when it is due, the best one, and patience."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from bertsmith.training.best_evaluation import BestEvaluation
from bertsmith.training.periodic_evaluation import PeriodicEvaluation
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.training_plan import Evaluations

MODEL = nn.Identity()


def figures(_: nn.Module) -> dict[str, Any]:
    return {"loss": 2.0}


def test_the_first_of_equal_evaluations_is_the_best() -> None:
    best = BestEvaluation("loss")
    found = [best.consider({"loss": loss}, step) for step, loss in enumerate((3.0, 2.0, 2.0, 2.5), start=1)]
    assert found == [True, True, False, False]
    assert (best.value, best.step, best.without_gain) == (2.0, 2, 2)


def test_without_a_figure_nothing_is_the_best() -> None:
    best = BestEvaluation(None)
    assert not best.consider({"loss": 1.0}, 1)
    assert (best.value, best.step, best.without_gain) == (None, None, 0)


@pytest.mark.parametrize(("at_end", "expected"), [(False, [False, True, False]), (True, [False, True, True])])
def test_when_an_evaluation_is_due(at_end: bool, expected: list[bool]) -> None:
    evaluation = PeriodicEvaluation(Evaluations(figures, every=2, at_end=at_end))
    found = [evaluation.is_due(step, new_tenth=False, is_over=step == 3) for step in (1, 2, 3)]
    assert found == expected


def test_without_a_measure_no_evaluation_is_due() -> None:
    assert not PeriodicEvaluation(Evaluations(every=1, at_end=True)).is_due(1, new_tenth=True, is_over=True)


def test_the_figures_of_both_texts() -> None:
    assert PeriodicEvaluation(Evaluations(figures)).measure(MODEL) == {"evaluation": {"loss": 2.0}}
    both = PeriodicEvaluation(Evaluations(figures, lambda _: {"loss": 5.0})).measure(MODEL)
    assert both == {"evaluation": {"loss": 2.0}, "general_evaluation": {"loss": 5.0}}


@pytest.mark.parametrize(("patience", "stops"), [(None, None), (1, 2), (2, 3), (5, None)])
def test_patience(patience: int | None, stops: int | None) -> None:
    evaluation = PeriodicEvaluation(Evaluations(figures, best_by="loss", patience=patience))
    stopped = None
    for step, loss in enumerate((2.0, 2.5, 2.0, 3.0), start=1):
        evaluation.best.consider({"loss": loss}, step)
        evaluation.check_patience(step)
        if evaluation.stopped_early:
            stopped = step
            break
    assert stopped == stops


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_a_resumed_run_knows_its_best_evaluation_if_it_can_return_to_it(tmp_path: Path, has_checkpoint: bool) -> None:
    lines = [
        {"step": 2, "evaluation": {"loss": 2.0}},
        {"step": 3, "mlm_loss": 1.0},
        {"step": 4, "evaluation": {"loss": 3.0}},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if has_checkpoint:
        (tmp_path / "checkpoints" / "step-2").mkdir(parents=True)
    evaluation = PeriodicEvaluation(Evaluations(figures, best_by="loss", patience=2))
    evaluation.resume(RunFolder(tmp_path))
    assert (evaluation.best.step, evaluation.best.without_gain) == ((2, 1) if has_checkpoint else (None, 0))

"""The Trainer's side of an update: transformers' callbacks, and which methods of transformers are replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from accelerate.state import GradientState

from bertsmith.training.trainer import ExactTrainer
from bertsmith.verbs.pretrain import pretrain

AROUND = (("on_train_begin", "on_epoch_begin"), ("on_epoch_end", "on_train_end"))
PER_UPDATE = ("on_step_begin", "on_pre_optimizer_step", "on_optimizer_step", "on_step_end")


def test_callbacks_see_each_update_as_with_transformers(
    little_store: Path, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    for event in (*AROUND[0], *PER_UPDATE, *AROUND[1]):
        original = getattr(transformers.DefaultFlowCallback, event)

        def call(
            self: Any, args: Any, state: Any, control: Any, *, event: str = event, original: Any = original, **more: Any
        ) -> Any:
            seen.append((event, state.global_step))
            return original(self, args, state, control, **more)

        monkeypatch.setattr(transformers.DefaultFlowCallback, event, call)
    pretrain(little_store, out=tmp_path / "run", steps=2, **options)
    updates = [(event, step + (event == "on_step_end")) for step in (0, 1) for event in PER_UPDATE]
    before, after = ([(event, step) for event in events] for events, step in zip(AROUND, (0, 2), strict=True))
    assert seen == [*before, *updates, *after]


def test_a_training_that_was_stopped_between_micro_batches_has_no_effect(
    little_store: Path, options: dict[str, Any], tmp_path: Path, metrics_of: Callable[[Path], list[dict[str, Any]]]
) -> None:
    """accelerate shares a flag between all trainings of a process; without it its optimizer skips updates."""
    losses = []
    for synchronised in (True, False):
        GradientState()._set_sync_gradients(synchronised)
        out = tmp_path / f"run-{synchronised}"
        pretrain(little_store, out=out, steps=3, **options)
        losses.append([line["mlm_loss"] for line in metrics_of(out) if "mlm_loss" in line])
    assert losses[0] == losses[1]


def test_few_methods_of_transformers_are_replaced() -> None:
    replaced = {name for name in vars(ExactTrainer) if callable(getattr(transformers.Trainer, name, None))}
    assert replaced - {"__init__"} == {
        "get_train_dataloader",
        "create_optimizer",
        "create_scheduler",
        "_run_epoch",
        "_load_from_checkpoint",
        "_load_optimizer_and_scheduler",
        "log",
    }

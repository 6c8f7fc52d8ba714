"""The Trainer's side of an update: transformers' callbacks, and which methods of transformers are replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers

from bertsmith.training.trainer import ExactTrainer
from bertsmith.verbs.pretrain import pretrain

EVENTS = (
    *("on_train_begin", "on_step_begin", "on_pre_optimizer_step"),
    *("on_optimizer_step", "on_step_end", "on_train_end"),
)


def test_callbacks_see_each_update_as_with_transformers(
    little_store: Path, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    for event in EVENTS:
        original = getattr(transformers.DefaultFlowCallback, event)

        def call(
            self: Any, args: Any, state: Any, control: Any, *, event: str = event, original: Any = original, **more: Any
        ) -> Any:
            seen.append((event, state.global_step))
            return original(self, args, state, control, **more)

        monkeypatch.setattr(transformers.DefaultFlowCallback, event, call)
    pretrain(little_store, out=tmp_path / "run", steps=2, **options)
    updates = [(event, step + (event == "on_step_end")) for step in (0, 1) for event in EVENTS[1:-1]]
    assert seen == [("on_train_begin", 0), *updates, ("on_train_end", 2)]


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

"""A labelled task that the words of a sentence decide, and the settings of a short training."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from bertsmith.finetuning.head_losses import Distillation
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.tasks.base import AnyTask
from bertsmith.training.training_plan import Computation, Optimization

PEOPLE = ("the baker", "a sailor", "the old teacher", "my neighbour", "the queen", "the captain")
ACTS = ("found", "painted", "carried", "sold", "admired", "remembered")
FOOD, THINGS = ("some bread", "seven green apples"), ("the silver bell", "a wooden boat")
PLACES = ("near the river", "in the market", "on the hill", "at the harbour")


def example(draw: random.Random, eats: bool) -> str:
    parts = (draw.choice(PEOPLE), draw.choice(ACTS), draw.choice(FOOD if eats else THINGS), draw.choice(PLACES))
    return " ".join(parts) + "."


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a labelled file of so many examples: "food" or "thing", told by the object of the sentence."""
    folder = tmp_path_factory.mktemp("labelled")

    def make(name: str, count: int, *, seed: int = 0) -> Path:
        file, draw = folder / f"{name}-{count}-{seed}.jsonl", random.Random(f"{name}{seed}")
        chosen = [draw.random() < 0.5 for _ in range(count)]
        lines = [json.dumps({"text": example(draw, eats), "label": "food" if eats else "thing"}) for eats in chosen]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    return make


@pytest.fixture
def every_seed_model_kept(seed_models_kept: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """A test that compares the models of all seeds."""
    with seed_models_kept():
        yield


@pytest.fixture
def still(run: Path, tmp_path: Path) -> Path:
    """The RUN without dropout, so that nothing is drawn while it trains."""
    folder = tmp_path / "still"
    shutil.copytree(run, folder)
    config = json.loads((folder / "config.json").read_text())
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}
    (folder / "config.json").write_text(json.dumps(config | none))
    return folder


@pytest.fixture(scope="session")
def head_settings() -> Callable[..., HeadSettings]:
    """`head_settings(head, model)` with further options of `finetune`: three updates, in float32, without decay."""

    def make(
        head: AnyTask,
        model: Path,
        *,
        max_length: int = 32,
        steps: int = 3,
        eval_every: int = 3,
        learning_rate: float = 1e-2,
        threads: int = 1,
        distillation: Distillation | None = None,
        class_weights: tuple[float, ...] | None = None,
        **options: Any,
    ) -> HeadSettings:
        files = {"model": str(model), "train": "train.csv", "dev": "dev.csv", "out": "out"}
        quick = {"task": "sequence-classification", "batch_size": 12, "eval_batch_size": 8, "weight_decay": 0.0}
        given = FinetuneOptions.build({**files, **quick, **options})
        return HeadSettings(
            given,
            head,
            max_length=max_length,
            steps=steps,
            eval_every=eval_every,
            optimization=Optimization("adamw", learning_rate, given.weight_decay, warmup=0.06),
            computation=Computation("fp32", threads),
            attention="eager",
            distillation=distillation,
            class_weights=class_weights,
        )

    return make

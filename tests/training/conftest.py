"""A STORE of so little text that an epoch is a few updates, and ways to look at what a run left."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

TIMES = ("tokens_per_second", "seconds")

NO_GRADIENT = "attention.self.key.bias"
"""In exact arithmetic the bias of the keys has no gradient (softmax does not see it); AdamW scales its rounding up."""

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def little_store(corpus_file: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen documents and two held out: some 90 examples of 64 tokens an epoch."""
    from bertsmith.verbs.prepare import prepare

    folder = tmp_path_factory.mktemp("little")
    lines = corpus_file.read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "little.jsonl").write_text("".join(lines[:16]), encoding="utf-8")
    (folder / "ids.txt").write_text("document-0\ndocument-1\n", encoding="utf-8")
    prepare(folder / "little.jsonl", out=folder / "store", tokenizer=store, held_out=folder / "ids.txt", workers=1)
    return folder / "store"


@pytest.fixture(scope="session")
def options(tiny: dict[str, Any]) -> dict[str, Any]:
    """Options of `pretrain`: 16 examples an update, float32, a learning rate at which errors show."""
    return {**tiny, "sequence_length": 64, "batch_size": 16, "learning_rate": 1e-3}


@pytest.fixture(scope="session")
def weights_of() -> Callable[[Path], dict[str, Any]]:
    """The weights in a RUN."""
    return lambda run: load_file(run / "model.safetensors")


@pytest.fixture(scope="session")
def metrics_of() -> Callable[[Path], list[dict[str, Any]]]:
    """The lines of a RUN's metrics.jsonl without what the clock decides."""

    def read(run: Path) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]

    return read


@pytest.fixture(scope="session")
def largest_difference() -> Callable[[Weights, Weights], tuple[float, str]]:
    """How far two models are apart, and in which weight; biases of keys aside."""

    def find(first: Weights, second: Weights) -> tuple[float, str]:
        assert first.keys() == second.keys()
        names = [name for name in first if NO_GRADIENT not in name]
        return max(((first[name] - second[name]).abs().max().item(), name) for name in names)

    return find


@pytest.fixture(scope="session")
def assert_identical() -> Callable[[Weights, Weights], None]:
    """Two models are the same, bit for bit."""

    def check(first: Weights, second: Weights) -> None:
        assert first.keys() == second.keys()
        different = [name for name in first if not torch.equal(first[name].cpu(), second[name].cpu())]
        assert not different, f"{len(different)} of {len(first)} weights differ, {different[0]} among them"

    return check


@pytest.fixture(scope="session")
def interrupted(signalled: Callable[..., AbstractContextManager[None]]) -> Callable[..., None]:
    """Run `pretrain` until a SIGTERM comes in the middle of an update."""
    from bertsmith.errors import Interrupted
    from bertsmith.verbs.pretrain import pretrain

    def run(store: Path, out: Path, at: int, **options: Any) -> None:
        with signalled(at), pytest.raises(Interrupted, match=f"SIGTERM after update {at}") as raised:
            pretrain(store, out=out, **options)
        assert f"bertsmith pretrain {store} --out {out} --resume" in str(raised.value)

    return run

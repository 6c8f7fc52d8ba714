"""A STORE of so little text that an epoch is a few updates, and ways to look at what a run left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

TIMES = ("tokens_per_second", "seconds")


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

"""The bench, and the small folders that it works on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.bench import Bench
from support.effect_files import LEARNING, ROWS, TASK, sentence


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 labelled texts as CSV."""
    file = tmp_path_factory.mktemp("labelled") / "labelled.csv"
    file.write_text("\n".join(["text,label", *(",".join(sentence(number)) for number in range(ROWS))]) + "\n")
    return file


@pytest.fixture(scope="session")
def head(run: Path, labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head fine-tuned on them."""
    from bertsmith.verbs.finetune import finetune

    out = tmp_path_factory.mktemp("head") / "head"
    settings = {"max_length": 32, "precision": "fp32", **LEARNING}
    finetune(TASK, model=run, train=labelled, dev=labelled, out=out, **settings)
    return out


@pytest.fixture(scope="session")
def two_updates(store: Path, tiny: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The RUN that `Bench.pretrain()` makes without options: what the effects of single options are seen against."""
    from bertsmith.verbs.pretrain import pretrain

    out = tmp_path_factory.mktemp("two-updates") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bertsmith.runtime.machine.MICRO_BATCH_THREADS", 1)
        pretrain(store, out=out, steps=2, **tiny)
    return out


@pytest.fixture
def bench(
    tmp_path: Path,
    corpus_file: Path,
    store: Path,
    run: Path,
    head: Path,
    labelled: Path,
    tiny: dict[str, Any],
    bertsmith: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Bench:
    monkeypatch.setattr("bertsmith.runtime.machine.MICRO_BATCH_THREADS", 1)  # so that a batch is seen as a whole
    return Bench(tmp_path, corpus_file, store, run, head, labelled, tiny, bertsmith, monkeypatch, request)

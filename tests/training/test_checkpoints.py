"""A checkpoint is whole or passed over; a full disk takes nothing that was there."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from bertsmith.errors import ModelError, OutputError, ResourceError
from bertsmith.runtime.files import read_json
from bertsmith.training.run_folder import FILES, RunFolder, damage_to
from bertsmith.verbs.pretrain import pretrain

Weights = dict[str, torch.Tensor]
WeightsOf = Callable[[Path], Weights]
MetricsOf = Callable[[Path], list[dict[str, Any]]]
Identical = Callable[[Weights, Weights], None]
AtUpdate = Callable[[int, Callable[[], None]], AbstractContextManager[None]]
Options = dict[str, Any]

COURSE = {"steps": 10, "save_every": 4, "eval_every": 4, "dropout": 0.1}


@pytest.fixture(scope="module")
def unbroken(little_store: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("checkpoints") / "unbroken"
    pretrain(little_store, out=out, **options, **COURSE)
    return out


@pytest.fixture(scope="module")
def broken_down(
    little_store: Path, options: Options, at_update: AtUpdate, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run that broke down in update 9, with the checkpoints of 4 and 8."""

    def break_down() -> None:
        raise RuntimeError("the power is gone")

    out = tmp_path_factory.mktemp("checkpoints") / "broken"
    with at_update(9, break_down), pytest.raises(RuntimeError, match="power"):
        pretrain(little_store, out=out, **options, **COURSE)
    return out


@pytest.fixture
def run_folder(broken_down: Path, tmp_path: Path) -> Path:
    return shutil.copytree(broken_down, tmp_path / "run")


def checkpoints(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def test_what_a_checkpoint_holds(broken_down: Path) -> None:
    assert checkpoints(broken_down) == ["step-4", "step-8"]
    folder = broken_down / "checkpoints" / "step-8"
    sizes = read_json(folder / FILES)
    assert {path.name for path in folder.iterdir()} == {*sizes, FILES}
    assert {"model.safetensors", "optimizer.pt", "scheduler.pt", "random_states.pt", "progress.json"} < set(sizes)
    progress = read_json(folder / "progress.json")
    assert (progress["step"], progress["taken"]) == (8, [8 * 16, 0])
    assert progress["seconds"] > 0
    lines = (broken_down / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert progress["tokens_seen"] == next(json.loads(line)["tokens_seen"] for line in lines if '"step": 8' in line)


def truncate(name: str) -> Callable[[Path], None]:
    def do(checkpoint: Path) -> None:
        os.truncate(checkpoint / name, (checkpoint / name).stat().st_size // 2)

    return do


def remove(name: str) -> Callable[[Path], None]:
    return lambda checkpoint: (checkpoint / name).unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "half an optimizer": (truncate("optimizer.pt"), r"optimizer\.pt: found [\d,]+ bytes, expected [\d,]+"),
    "half the weights": (truncate("model.safetensors"), r"model\.safetensors: found [\d,]+ bytes, expected [\d,]+"),
    "no random states": (remove("random_states.pt"), r"random_states\.pt is missing$"),
    "no sizes": (remove(FILES), "files.json is missing or damaged, so the checkpoint is incomplete"),
    "half the sizes": (truncate(FILES), "files.json is missing or damaged, so the checkpoint is incomplete"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over(
    little_store: Path,
    unbroken: Path,
    run_folder: Path,
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    assert_identical: Identical,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    harm, message = DAMAGES[damage]
    harm(run_folder / "checkpoints" / "step-8")
    result = pretrain(little_store, out=run_folder, resume=True)
    assert result.resumed_from_step == 4
    (warning,) = [record.getMessage() for record in caplog.records if "skipping" in record.getMessage()]
    assert str(run_folder / "checkpoints" / "step-8") in warning
    assert re.search(message, warning), warning
    assert_identical(weights_of(run_folder), weights_of(unbroken))
    assert metrics_of(run_folder) == metrics_of(unbroken)


def test_without_a_whole_checkpoint_a_run_cannot_go_on(
    little_store: Path, run_folder: Path, bertsmith: Callable[..., Any]
) -> None:
    for step in (4, 8):
        truncate("optimizer.pt")(run_folder / "checkpoints" / f"step-{step}")
    before = (run_folder / "run.json").read_bytes(), (run_folder / "metrics.jsonl").read_bytes()
    with pytest.raises(OutputError, match=r"all checkpoints in .* are damaged. Try: remove that folder"):
        RunFolder(run_folder).newest_checkpoint()
    answer = bertsmith("pretrain", little_store, "--out", run_folder, "--resume")
    assert (answer.code, answer.stdout) == (2, "")
    assert before == ((run_folder / "run.json").read_bytes(), (run_folder / "metrics.jsonl").read_bytes())


def test_without_any_checkpoint_a_run_begins_again(
    little_store: Path, unbroken: Path, run_folder: Path, weights_of: WeightsOf, assert_identical: Identical
) -> None:
    shutil.rmtree(run_folder / "checkpoints")
    result = pretrain(little_store, out=run_folder, resume=True)
    assert result.resumed_from_step == 0
    assert_identical(weights_of(run_folder), weights_of(unbroken))


def test_a_checkpoint_of_another_model_is_refused(
    little_store: Path, options: Options, run_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    pretrain(little_store, out=other, **{**options, "hidden_size": 16}, steps=8, save_every=8)
    shutil.rmtree(run_folder / "checkpoints" / "step-8")
    shutil.copytree(other / "checkpoints" / "step-8", run_folder / "checkpoints" / "step-8")
    with pytest.raises(ModelError, match=r"step-8: found hidden size 16, expected 32; .*a different run"):
        pretrain(little_store, out=run_folder, resume=True)


# A full disk


@pytest.fixture
def refusing(at_update: AtUpdate) -> Callable[[str, int], AbstractContextManager[None]]:
    """From update 8 on, refuse a file: by the system for the files of safetensors and torch, by Python for others.

    The system is told to refuse files above a size, which unlike a full disk needs no rights (EFBIG, not ENOSPC).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    original = torch.save

    def refuse(name: str, weights: int) -> AbstractContextManager[None]:
        def save(state: Any, file: Path) -> None:
            if file.name == name and file.parent.name == ".step-8.partial":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            original(state, file)

        limits = {"model.safetensors": weights - 1, "optimizer.pt": weights + 1}
        if name in limits:
            return at_update(8, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limits[name], hard)))
        return mock.patch.object(torch, "save", save)

    return refuse


@pytest.mark.parametrize("refused", ["model.safetensors", "optimizer.pt", "random_states.pt"])
def test_a_checkpoint_that_the_disk_does_not_take_leaves_the_one_before(
    little_store: Path,
    options: Options,
    unbroken: Path,
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    assert_identical: Identical,
    refusing: Callable[[str, int], AbstractContextManager[None]],
    tmp_path: Path,
    refused: str,
) -> None:
    out = tmp_path / "run"
    files = read_json(unbroken / "checkpoints" / "step-10" / FILES)
    sizes = {name: facts["bytes"] for name, facts in files.items()}
    assert max(sizes["tokenizer.json"], 1000) < sizes["model.safetensors"] < sizes["optimizer.pt"] - 1000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with (
            refusing(refused, sizes["model.safetensors"]),
            pytest.raises(ResourceError, match=r"step-8: cannot be written: .* free") as raised,
        ):
            pretrain(little_store, out=out, **options, **COURSE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.exit_code == 3
    assert checkpoints(out) == ["step-4"]
    assert damage_to(out / "checkpoints" / "step-4") is None
    assert pretrain(little_store, out=out, resume=True).resumed_from_step == 4
    assert_identical(weights_of(out), weights_of(unbroken))
    assert metrics_of(out) == metrics_of(unbroken)

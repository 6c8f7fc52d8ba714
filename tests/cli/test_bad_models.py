"""What is no MODEL."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TASK = "sequence-classification"


PREDICTING = [("fill-mask", "a [MASK]"), ("next-sentence", "a", "b"), ("embed", "a"), ("classify", "a"), ("tag", "a")]


@pytest.mark.parametrize("verb", PREDICTING, ids=lambda verb: verb[0])
def test_a_folder_that_is_no_model(
    refused: Callable[..., str], tmp_path: Path, verb: tuple[str, ...], holds: Callable[..., None]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("notes")
    message = refused(verb[0], tmp_path / "folder", *verb[1:])
    holds(message, tmp_path / "folder", "found no config.json, expected the folder of a model")


@pytest.mark.parametrize("verb", [*PREDICTING, ("tokenize", "a")], ids=lambda verb: verb[0])
def test_a_missing_model(
    refused: Callable[..., str], tmp_path: Path, verb: tuple[str, ...], holds: Callable[..., None]
) -> None:
    holds(refused(verb[0], tmp_path / "none", *verb[1:]), tmp_path / "none", "no such folder")
    holds(refused(verb[0], "no-such-model", *verb[1:]), "error: no-such-model: no ")


@pytest.mark.parametrize("verb", PREDICTING, ids=lambda verb: verb[0])
def test_a_store_in_the_place_of_a_model(
    refused: Callable[..., str], store: Path, verb: tuple[str, ...], holds: Callable[..., None]
) -> None:
    message = refused(verb[0], store, *verb[1:])
    holds(message, store, "found a STORE, expected a model", f"Try: bertsmith pretrain {store} --out RUN")


@pytest.mark.parametrize("verb", PREDICTING, ids=lambda verb: verb[0])
@pytest.mark.parametrize("with_config", [True, False])
def test_an_unfinished_run(
    refused: Callable[..., str], unfinished: Path, verb: tuple[str, ...], with_config: bool, holds: Callable[..., None]
) -> None:
    if not with_config:
        (unfinished / "config.json").unlink()
    message = refused(verb[0], unfinished, *verb[1:])
    holds(message, unfinished, "this RUN is not finished", "--resume", unfinished / "checkpoints" / "step-10")


def test_a_checkpoint_can_be_used(bertsmith: Callable[..., Any], unfinished: Path) -> None:
    """What the message for an unfinished RUN proposes works."""
    assert bertsmith("fill-mask", unfinished / "checkpoints" / "step-10", "a [MASK]", "--json").json["masks"]


def test_weights_that_are_cut_off(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(run, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    holds(refused("fill-mask", folder, "a [MASK]"), folder, "the weights cannot be read")


def test_a_model_without_the_head(refused: Callable[..., str], run: Path, holds: Callable[..., None]) -> None:
    message = refused("classify", run, "a text")
    holds(message, run, "has no classification head", f"bertsmith finetune {TASK} --model {run}")


def test_a_file_in_the_place_of_a_model(
    refused: Callable[..., str], corpus_file: Path, holds: Callable[..., None]
) -> None:
    holds(refused("fill-mask", corpus_file, "a [MASK]"), corpus_file, "found a file, expected the folder of a model")

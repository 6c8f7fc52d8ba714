"""What `finetune glue` refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

TASK = "sequence-classification"


@pytest.fixture
def finetune_glue(refused: Callable[..., str], run: Path, tmp_path: Path) -> Callable[..., str]:
    """The message for tasks of GLUE that have to be refused; nothing is written."""

    def call(data: Path, *more: object) -> str:
        message = refused("finetune", "glue", "--model", run, "--data", data, "--out", tmp_path / "out", *more)
        assert not (tmp_path / "out").exists()
        return message

    return call


def test_a_suite_that_there_is_not(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    message = refused("finetune", "gleu", "--model", run, "--data", tmp_path, "--out", tmp_path / "out")
    holds(message, "TASK: found 'gleu'", TASK, "or the suite glue", "did you mean 'glue'?")
    message = refused("finetune", TASK, "--model", run, "--data", tmp_path, "--out", tmp_path / "out")
    holds(message, "there is no option '--data'")
    files = ("--train", tmp_path / "a.csv", "--dev", tmp_path / "b.csv")
    message = refused("finetune", "gleu", "--model", run, *files, "--out", tmp_path / "out")
    holds(message, "TASK: found 'gleu'", TASK, "or the suite glue", "did you mean 'glue'?")
    message = refused("finetune", "--model", run, *files, "--out", tmp_path / "out", "glue")
    holds(message, "found 'glue', a suite of tasks", "Try: bertsmith finetune glue --help")


def test_a_folder_without_a_task_of_glue(
    finetune_glue: Callable[..., str], glue: Callable[..., Path], holds: Callable[..., None]
) -> None:
    folder = glue("RTE")
    holds(finetune_glue(folder.parent / "none"), f"--data {folder.parent / 'none'}: no such folder")
    holds(finetune_glue(folder / "RTE" / "dev.tsv"), "found a file, expected the folder of GLUE")
    empty = folder.parent / "empty"
    empty.mkdir()
    holds(finetune_glue(empty), f"--data {empty}: found no task of GLUE (CoLA, SST-2, MRPC", "It holds nothing")
    (empty / "notes.txt").write_text("a")
    (empty / "books").mkdir()
    holds(finetune_glue(empty), "expected folders with these names. It holds books/, notes.txt")
    message = finetune_glue(folder / "RTE")
    holds(message, "found the folder of RTE only", f"Try: --data {folder} --tasks RTE")


def test_a_task_that_the_folder_lacks(
    finetune_glue: Callable[..., str], glue: Callable[..., Path], holds: Callable[..., None]
) -> None:
    folder = glue("RTE")
    holds(finetune_glue(folder, "--tasks", "RTE,MRPC"), f"--data {folder}: found no folder of MRPC", "It holds RTE/")
    holds(finetune_glue(folder, "--tasks", "RTF"), "--tasks: found 'RTF'", "CoLA, SST-2", "did you mean 'RTE'?")


def test_a_task_without_its_dev_file(
    finetune_glue: Callable[..., str], glue: Callable[..., Path], holds: Callable[..., None]
) -> None:
    folder = glue("RTE", "CoLA")
    (folder / "RTE" / "dev.tsv").rename(folder / "RTE" / "development.tsv")
    message = finetune_glue(folder)
    holds(message, "RTE: found no dev file in", "expected dev.tsv or validation.tsv", "development.tsv, train.tsv")
    holds(message, "Try: --tasks, to leave this task out")


def test_a_model_that_the_tasks_cannot_use(
    finetune_glue: Callable[..., str],
    refused: Callable[..., str],
    glue: Callable[..., Path],
    tmp_path: Path,
    holds: Callable[..., None],
) -> None:
    """It is no failure of a task: all would fail."""
    folder = glue("RTE")
    holds(
        finetune_glue(folder, "--max-length", 100), "--max-length: found 100, expected 8 to 64, the number of positions"
    )
    message = refused("finetune", "glue", "--model", tmp_path, "--data", folder, "--out", tmp_path / "out")
    holds(message, tmp_path)
    assert not (tmp_path / "out").exists()

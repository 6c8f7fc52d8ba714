"""Folders that are not replaced."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

TASK = "sequence-classification"


def test_an_output_folder_that_is_not_empty(
    refused: Callable[..., str],
    tmp_path: Path,
    corpus_file: Path,
    store: Path,
    run: Path,
    holds: Callable[..., None],
    labelled: Callable[..., Path],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("four years of work")
    train = labelled(tmp_path / "train.csv")
    for arguments in (
        ("prepare", corpus_file),
        ("pretrain", store, "--sequence-length", 32),
        ("finetune", TASK, "--model", run, "--train", train, "--dev", train, "--max-length", 32),
    ):
        message = refused(*arguments, "--out", out)
        holds(message, f"--out {out}", "the folder is not empty", "--overwrite", "--resume", "another --out")
        message = refused(*arguments, "--out", out, "--overwrite")
        holds(message, f"--out {out}", "--overwrite replaces only folders that bertsmith", "delete the folder yourself")
        message = refused(*arguments, "--out", out, "--resume")
        assert str(out) in message
    for verb in (("train-tokenizer", corpus_file, "--vocab-size", 100), ("quickstart",)):
        holds(refused(*verb, "--out", out), f"--out {out}", "the folder is not empty", "--overwrite")
        holds(refused(*verb, "--out", out, "--overwrite"), "--overwrite replaces only folders that bertsmith")


def test_an_output_folder_that_is_a_file(
    refused: Callable[..., str], tmp_path: Path, corpus_file: Path, holds: Callable[..., None]
) -> None:
    (tmp_path / "out").write_text("a file")
    for flags in ((), ("--overwrite",), ("--resume",)):
        message = refused("prepare", corpus_file, "--out", tmp_path / "out", *flags)
        holds(message, f"--out {tmp_path / 'out'}", "found a file")


def test_a_mistake_keeps_the_run_that_would_be_replaced(
    refused: Callable[..., str], store: Path, run: Path, tmp_path: Path, labelled: Callable[..., Path]
) -> None:
    """--overwrite deletes the old RUN only when the new one can begin."""
    out = tmp_path / "run"
    shutil.copytree(run, out)
    refused("pretrain", store, "--out", out, "--overwrite", "--sequence-length", 600)
    refused("pretrain", store, "--out", out, "--overwrite", "--hidden-size", 32, "--attention-heads", 3)
    refused("pretrain", tmp_path / "no-store", "--out", out, "--overwrite")
    one_class = labelled(tmp_path / "one.csv", labels=("same", "same"))
    refused("finetune", TASK, "--model", run, "--train", one_class, "--dev", one_class, "--out", out, "--overwrite")


def test_a_model_cannot_be_replaced_by_what_starts_from_it(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(run, out)
    train = labelled(tmp_path / "train.csv")
    data = ("--train", train, "--dev", train, "--max-length", 32)
    message = refused("finetune", TASK, "--model", out, *data, "--out", out, "--overwrite")
    holds(message, f"--out {out}", "is the MODEL itself")


def test_what_is_read_cannot_be_replaced_by_what_is_written(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None], labelled: Callable[..., Path]
) -> None:
    out = tmp_path / "old"
    shutil.copytree(run, out)
    shutil.copytree(run, out / "seeds" / "seed-1")
    train, inside = labelled(tmp_path / "train.csv"), labelled(out / "train.csv")
    options = ("--max-length", 32, "--out", out, "--overwrite")
    model = ("--model", out / "seeds" / "seed-1")
    message = refused("finetune", TASK, *model, "--train", train, "--dev", train, *options)
    holds(message, f"--out {out}: the MODEL {model[1]} is inside this folder")
    message = refused("finetune", TASK, "--model", run, "--train", inside, "--dev", train, *options)
    holds(message, f"--out {out}: --train {inside} is inside this folder")
    assert inside.is_file() and (out / "model.safetensors").is_file()

"""Options, and STOREs, that do not fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TASK = "sequence-classification"


def test_an_unknown_size(refused: Callable[..., str], store: Path, tmp_path: Path, holds: Callable[..., None]) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--size", "smal")
    holds(message, "--size: found 'smal'", "tiny, mini, small, medium, base, large", "did you mean 'small'?")


def test_a_key_with_a_typing_error(
    refused: Callable[..., str], store: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("mask_rte: 0.2\n")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--config", file)
    holds(message, f"--config {file}: there is no option 'mask_rte'; did you mean 'mask-rate'?")


def test_an_option_with_a_typing_error(
    refused: Callable[..., str], store: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--mask-rte", "0.2")
    holds(message, "there is no option '--mask-rte'; did you mean 'mask-rate'?", "bertsmith pretrain --help")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--mask-rate")
    holds(message, "--mask-rate needs a value")
    message = refused("pretrain", store, "another", "--out", tmp_path / "out")
    holds(message, "found more values than expected: another")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--steps", 1, "--steps", 2)
    holds(message, "--steps is given more than once")


@pytest.mark.parametrize(("verb", "near"), [("pretrian", "pretrain"), ("fillmask", "fill-mask")])
def test_an_unknown_verb(refused: Callable[..., str], verb: str, near: str, holds: Callable[..., None]) -> None:
    holds(refused(verb), f"there is no verb '{verb}'; did you mean '{near}'?", "bertsmith --help")


def test_minutes_together_with_steps(
    refused: Callable[..., str], store: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--minutes", "1", "--steps", "5")
    holds(message, "found --minutes and --steps, expected at most one of --minutes, --steps, --epochs")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (
            ("--short-phase", "128,0.5"),
            ("--short-phase: found 128 tokens", "at least 8 and fewer than --sequence-length, 128"),
        ),
        (
            ("--short-phase", "64"),
            ("--short-phase: found '64', expected a whole number and a share", "such as 64,0.75"),
        ),
        (("--short-phase", "64,75"), ("--short-phase: found '64,75'", "a share between 0 and 1")),
        (("--batch-ramp", "32,0.5"), ("--batch-ramp: found 32 examples, expected fewer than --batch-size, 32",)),
        (("--batch-ramp", "eight,0.5"), ("--batch-ramp: found 'eight,0.5'",)),
        (
            ("--batch-ramp", "8,0.5", "--epochs", 2),
            ("--epochs needs examples of one length", "Try: --steps or --minutes"),
        ),
        (
            ("--auto-micro-batch", "--micro-batch-size", 4),
            ("found --auto-micro-batch and --micro-batch-size", "expected one of them"),
        ),
        (("--fsdp", "--optimizer", "muon"), ("--fsdp needs --optimizer adamw",)),
        (("--fsdp", "--size", "tiny"), ("--fsdp: found one process, expected several", "torchrun")),
        (
            ("--overfit-one-batch", "--patience", 3),
            ("found --overfit-one-batch with --patience", "leave out --patience"),
        ),
        (("--mask-unit", "words"), ("--mask-unit: found 'words', expected one of token, word, span", "mean 'word'")),
        (("--patience", 0), ("--patience: found '0', expected above 0",)),
    ],
)
def test_options_of_a_run_that_contradict_each_other(
    refused: Callable[..., str],
    store: Path,
    tmp_path: Path,
    options: tuple[object, ...],
    parts: tuple[str, ...],
    holds: Callable[..., None],
) -> None:
    holds(refused("pretrain", store, "--out", tmp_path / "out", *options), *parts)


@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_fsdp_that_would_not_be_in_effect(
    refused: Callable[..., str],
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    launcher: str,
    holds: Callable[..., None],
) -> None:
    """accelerate takes FSDP on a CPU for DDP, without a word."""
    if launcher == "torchrun":
        message = refused("pretrain", store, "--out", tmp_path / "out", "--fsdp")
        holds(message, "--fsdp: found one process, expected several to shard the model over. Try: torchrun")
    else:
        monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
        message = refused("pretrain", store, "--out", tmp_path / "out")
        holds(message, "ACCELERATE_USE_FSDP is set", "has no effect here", "and give --fsdp")


def test_an_option_whose_extra_is_missing(
    refused: Callable[..., str],
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    holds: Callable[..., None],
) -> None:
    from bertsmith.config import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    message = refused("pretrain", store, "--out", tmp_path / "out", "--tensorboard")
    holds(message, "--tensorboard needs tensorboard, which is not installed", "pip install 'bertsmith[tensorboard]'")


def test_memory_that_is_short_is_exit_3(
    bertsmith: Callable[..., Any],
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    holds: Callable[..., None],
) -> None:
    from bertsmith.pretraining import automatic_choices

    monkeypatch.setattr(automatic_choices, "free_memory", lambda device: 150_000_000)
    answer = bertsmith("pretrain", store, "--out", tmp_path / "out", "--size", "tiny", "--batch-size", 256)
    assert (answer.code, answer.stdout) == (3, "")
    holds(
        answer.stderr, "256 examples at once need", "150.0 MB are free. Try: --micro-batch-size", "--auto-micro-batch"
    )
    assert not (tmp_path / "out").exists()


def test_only_pretrain_runs_in_several_processes(
    refused: Callable[..., str], run: Path, monkeypatch: pytest.MonkeyPatch, holds: Callable[..., None]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    holds(refused("tokenize", run, "a text"), "tokenize runs in one process, found 2")


def test_heads_that_do_not_divide_the_width(
    refused: Callable[..., str], store: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--hidden-size", 48, "--attention-heads", 5)
    holds(message, "--attention-heads: found 5, expected a divisor of --hidden-size 48", "such as", "4", "6")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--hidden-size", 100)
    holds(message, "--hidden-size: found 100, expected a multiple of 64", "--attention-heads")


def test_a_sequence_beyond_the_positions(
    refused: Callable[..., str],
    store: Path,
    run: Path,
    tmp_path: Path,
    holds: Callable[..., None],
    labelled: Callable[..., Path],
) -> None:
    out = ("--out", tmp_path / "out")
    message = refused("pretrain", store, *out, "--size", "tiny", "--sequence-length", 600)
    holds(message, "--sequence-length: found 600, expected at most 512", "Try: a higher --max-positions")
    message = refused("pretrain", store, *out, "--from", run, "--sequence-length", 100)
    holds(message, "--sequence-length: found 100, expected at most 64, the number of positions of the model\n")
    message = refused("evaluate", run, store, "--sequence-length", 100)
    holds(message, "--sequence-length: found 100, expected at most 64, the number of positions")
    train = labelled(tmp_path / "train.csv")
    message = refused("finetune", TASK, "--model", run, "--train", train, "--dev", train, *out, "--max-length", 100)
    holds(message, "--max-length: found 100, expected 8 to 64, the number of positions")


@pytest.mark.parametrize("what", ["missing", "run", "empty"])
def test_what_is_no_store(
    refused: Callable[..., str], tmp_path: Path, run: Path, what: str, holds: Callable[..., None]
) -> None:
    folder = run if what == "run" else tmp_path / what
    if what == "empty":
        folder.mkdir()
    message = refused("pretrain", folder, "--out", tmp_path / "out")
    holds(message, folder, "no such folder" if what == "missing" else "not a STORE", "bertsmith prepare SOURCE --out")


def test_a_store_of_another_tokenizer(
    refused: Callable[..., str],
    bertsmith: Callable[..., Any],
    run: Path,
    corpus_file: Path,
    tmp_path: Path,
    holds: Callable[..., None],
) -> None:
    other = tmp_path / "other"
    assert bertsmith("prepare", corpus_file, "--out", other, "--vocab-size", 192).code == 0
    out = ("--out", tmp_path / "out")
    message = refused("pretrain", other, *out, "--from", run, "--sequence-length", 32)
    holds(message, "its tokenizer (256 entries) differs from that of", "(192)", f"--tokenizer {run}")
    message = refused("evaluate", run, other)
    holds(message, other, "was prepared with a different tokenizer", f"--tokenizer {run}")


def test_a_store_that_is_cut_off(
    refused: Callable[..., str], store: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    folder = tmp_path / "store"
    shutil.copytree(store, folder)
    data = folder / "train" / "data-00000-of-00001.arrow"
    data.write_bytes(data.read_bytes()[:-100])
    message = refused("pretrain", folder, "--out", tmp_path / "out", "--sequence-length", 32)
    holds(message, data, "bytes as in manifest.json", "prepare the STORE again")


def test_a_report_of_nothing(refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    holds(
        refused("report", tmp_path),
        tmp_path,
        "found nothing to report, expected a STORE (manifest.json), a RUN (run.json)",
    )


def test_resume_with_other_options(
    refused: Callable[..., str], unfinished: Path, store: Path, holds: Callable[..., None]
) -> None:
    message = refused("pretrain", store, "--out", unfinished, "--resume", "--mask-rate", "0.3")
    holds(message, "--mask-rate", "was started without it, found 0.3", "Try: leave the option out to resume")

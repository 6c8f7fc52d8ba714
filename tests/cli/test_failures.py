"""What needs a bug, a full disk or a signal: its exit code and its words; and no command line brings a traceback."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith.cli import app

TASK = "sequence-classification"


def test_a_full_disk_is_exit_3(
    bertsmith: Callable[..., Any],
    corpus_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    holds: Callable[..., None],
) -> None:
    """The disk is full when the STORE's manifest is written: 3, the place, the free space, and no STORE."""
    original = Path.open

    def full(self: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        if "manifest.json" in self.name and "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, mode, *more, **options)

    monkeypatch.setattr(Path, "open", full)
    answer = bertsmith("prepare", corpus_file, "--out", tmp_path / "store", "--vocab-size", 200)
    assert answer.code == 3
    assert "Traceback" not in answer.stderr
    holds(answer.stderr, "error: ", "manifest.json: cannot be written: No space left on device", "GB free", "--out")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_full_disk_in_training_is_exit_3(
    bertsmith: Callable[..., Any],
    store: Path,
    run: Path,
    tmp_path: Path,
    tiny: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    holds: Callable[..., None],
    labelled: Callable[..., Path],
) -> None:
    """The weights at the top of the RUN cannot be written: 3, and no folder that looks finished."""
    import transformers

    def full(self: Any, folder: Any, *more: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out"
    train = labelled(tmp_path / "train.csv")
    arguments: tuple[object, ...] = (TASK, "--model", run, "--train", train, "--dev", train, "--max-length", 32)
    if verb == "pretrain":
        arguments = (store, "--steps", 1, *(f"--{name.replace('_', '-')}={value}" for name, value in tiny.items()))
    monkeypatch.setattr(transformers.PreTrainedModel, "save_pretrained", full)
    answer = bertsmith(verb, *arguments, "--out", out)
    assert answer.code == 3
    assert "Traceback" not in answer.stderr
    holds(answer.stderr, "cannot be written: No space left on device", "GB free", "--out")
    assert not (out / "model.safetensors").exists()
    assert not [path for path in out.rglob("*") if path.name.startswith(".step")]


def test_out_of_memory_is_exit_3(
    bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, holds: Callable[..., None]
) -> None:
    fail_with(monkeypatch, MemoryError())
    answer = bertsmith("doctor")
    assert answer.code == 3
    assert "out of memory. Try: a smaller --batch-size" in answer.stderr
    fail_with(monkeypatch, type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate"))
    answer = bertsmith("doctor")
    assert answer.code == 3
    holds(answer.stderr, "error: the device is out of memory: CUDA out of memory", "--micro-batch-size")


def test_control_c_is_exit_130(bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    answer = bertsmith("doctor")
    assert answer.code == 130
    assert answer.stderr == "interrupted\n"


def test_a_bug_is_exit_1_with_how_to_report_it(
    bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, holds: Callable[..., None]
) -> None:
    fail_with(monkeypatch, RuntimeError("the unexpected"))
    answer = bertsmith("doctor", "--json")
    assert answer.code == 1
    assert answer.stdout == ""
    holds(answer.stderr, "RuntimeError: the unexpected", "This is a bug in bertsmith", "bertsmith doctor --json")


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make the verb `doctor` raise this."""
    import bertsmith.verbs.doctor as module

    def fail() -> None:
        raise error

    monkeypatch.setattr(module, "describe_machine", fail)


@pytest.mark.parametrize("seed", range(3))
def test_no_command_line_brings_a_traceback(bertsmith: Callable[..., Any], seed: int) -> None:
    """Words thrown together: refused, and never exit code 1."""
    draw = random.Random(seed)
    words = [
        "--out",
        "--steps",
        "-1",
        "--size",
        "--json",
        "x",
        "--",
        "--set",
        "a=b",
        "--config",
        "",
        "-",
        "=",
        "--=",
        "é",
    ]
    for _ in range(60):
        verb = draw.choice([name for name in app.verbs() if name not in ("quickstart", "doctor")])
        arguments = draw.choices(words, k=draw.randint(0, 6))
        answer = bertsmith(verb, *arguments, stdin="")
        assert answer.code == 2, (verb, arguments, answer.stderr)

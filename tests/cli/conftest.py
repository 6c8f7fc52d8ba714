"""Bad input: exit code 2, a message with where, what was found and what to do, and nothing half-written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, hidden ones too, and what the files hold."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def refused(bertsmith: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """Runs a command line that has to be refused; returns its message. Nothing below tmp_path may change."""

    def call(*arguments: object, stdin: str | bytes | None = None) -> str:
        before = contents(tmp_path)
        answer = bertsmith(*arguments, stdin=stdin)
        assert answer.code == 2, answer.stderr
        assert answer.stdout == ""
        assert "Traceback" not in answer.stderr
        message = answer.stderr[answer.stderr.index("error: ") :]
        assert contents(tmp_path) == before
        return str(message)

    return call


@pytest.fixture(scope="session")
def holds() -> Callable[..., None]:
    """Asserts that each part stands in a message, in this order."""

    def check(message: str, *parts: object) -> None:
        position = 0
        for part in map(str, parts):
            assert part in message[position:], f"{part!r} is not in {message[position:]!r}"
            position = message.index(part, position) + len(part)

    return check


@pytest.fixture(scope="session")
def labelled() -> Callable[..., Path]:
    """Writes a labelled file in which the text says the label: `labelled(path, ("good", "bad"), "text,label", 8)`."""

    def make(path: Path, labels: tuple[str, str] = ("good", "bad"), header: str = "text,label", rows: int = 8) -> Path:
        said = [labels[number % 2] for number in range(rows)]
        lines = [header, *(f"it was {label} number {number},{label}" for number, label in enumerate(said))]
        path.write_text("\n".join(lines) + "\n")
        return path

    return make


@pytest.fixture
def unfinished(run: Path, tmp_path: Path) -> Path:
    """A RUN that was interrupted: its checkpoints are there, its weights at the top are not."""
    folder = tmp_path / "unfinished"
    shutil.copytree(run, folder)
    (folder / "model.safetensors").unlink()
    return folder

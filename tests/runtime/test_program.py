"""The name of the program in printed commands: what the shell of the user finds."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bertsmith.runtime.program import program, runnable


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an environment in .venv, of which the shell knows nothing."""
    folder = tmp_path / "a folder"
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("bertsmith", "python"):
        (binaries / name).write_text("#!/bin/sh\necho started with $#\n")
        (binaries / name).chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "executable", str(binaries / "python"))
    monkeypatch.setattr(sys, "argv", [".venv/bin/bertsmith", "quickstart"])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return binaries


def test_a_program_off_the_path_is_named_by_its_place(environment: Path) -> None:
    assert program() == ".venv/bin/bertsmith"
    assert runnable('bertsmith classify RUN "A text."') == '.venv/bin/bertsmith classify RUN "A text."'
    done = subprocess.run(runnable("bertsmith a b"), shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "started with 2\n"


def test_a_program_on_the_path_is_named_by_its_name(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{environment}{os.pathsep}/usr/bin")
    assert program() == "bertsmith"


def test_a_different_program_of_that_name_on_the_path(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "bertsmith"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == ".venv/bin/bertsmith"


def test_from_elsewhere_the_place_is_absolute_and_quoted(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(environment / "bertsmith")])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert shlex.split(program()) == [str(environment / "bertsmith")]


def test_started_as_a_module(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bertsmith/__main__.py", "doctor"])
    assert program() == ".venv/bin/python -m bertsmith"
    monkeypatch.setenv("PATH", str(environment))
    assert program() == "python -m bertsmith"


def test_in_python_the_script_of_the_environment(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["notebook.py"])
    assert program() == ".venv/bin/bertsmith"
    (environment / "bertsmith").unlink()
    assert program() == ".venv/bin/python -m bertsmith"

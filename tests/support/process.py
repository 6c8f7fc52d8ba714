"""The output of a command line or a process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CommandOutput:
    """The exit code of a command line and what it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def shown(self) -> str:
        """All of it, for the message of an assertion."""
        return f"exit code {self.code}\n--- stdout ---\n{self.stdout}\n--- stderr ---\n{self.stderr}"

    @property
    def json(self) -> Any:
        """The one JSON object on standard output."""
        assert self.code == 0 and self.stdout.count("\n") == 1, self.shown
        return json.loads(self.stdout)

    @property
    def json_lines(self) -> list[Any]:
        """The JSON objects on standard output, one per line."""
        assert self.code == 0, self.shown
        return [json.loads(line) for line in self.stdout.splitlines()]


def run_process(command: Sequence[str], **options: Any) -> CommandOutput:
    """Run a command to its end; further options are those of subprocess.run."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    return CommandOutput(done.returncode, done.stdout, done.stderr)

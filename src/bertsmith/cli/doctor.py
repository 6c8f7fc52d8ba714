"""bertsmith doctor."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.quickstart import DoctorOptions
from bertsmith.runtime.console import WIDTH


def _run(options: DoctorOptions) -> Iterable[Answer]:
    from bertsmith.verbs.doctor import doctor

    yield doctor(options)


def _show(result: Any) -> str:
    facts = [f"  {name.replace('_gb', ' (GB)'):<13} {value}" for name, value in result.machine.items()]
    versions = [f"  {name:<13} {value}" for name, value in result.versions.items()]
    choices = [line for choice in result.choices for line in _choice_lines(choice)]
    return "\n".join(["Machine", *facts, "Versions", *versions, "Automatic choices on this machine", *choices])


def _choice_lines(choice: dict[str, str]) -> list[str]:
    """Return name, value and reason of a choice as columns; a long reason continues in its own column."""
    head = f"  {choice['name']:<13} {choice['value']:<6} "
    return textwrap.wrap(choice["reason"], WIDTH - 1, initial_indent=head, subsequent_indent=" " * len(head))


COMMAND = Command(
    "doctor",
    "Show the machine, the versions, and each automatic choice with its reason.",
    DoctorOptions,
    _run,
    _show,
    "bertsmith doctor --json",
)

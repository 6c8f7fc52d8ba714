"""bertsmith doctor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.quickstart import DoctorOptions


def _run(options: DoctorOptions) -> Iterable[Answer]:
    from bertsmith.verbs.doctor import doctor

    yield doctor(options)


def _show(result: Any) -> str:
    facts = [*result.machine.items(), *result.versions.items()]
    lines = [f"  {name:<13} {value}" for name, value in facts]
    choices = [f"  {choice['name']:<13} {choice['value']}   {choice['reason']}" for choice in result.choices]
    return "\n".join(["This machine", *lines, "What is chosen on it", *choices])


COMMAND = Command(
    "doctor",
    "Show the machine, the versions, and each automatic choice with its reason.",
    DoctorOptions,
    _run,
    _show,
    "bertsmith doctor --json",
)

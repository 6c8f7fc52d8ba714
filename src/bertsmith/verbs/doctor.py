"""doctor: show the machine, the versions, and each automatic choice with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bertsmith.config.quickstart import DoctorOptions
from bertsmith.config.verb import Result, verb
from bertsmith.runtime.machine import (
    choose_allocator,
    choose_attention,
    choose_device,
    choose_precision,
    choose_threads,
    describe_machine,
    versions,
)


@dataclass(frozen=True)
class DoctorResult(Result):
    """Facts of the machine, and the choices that bertsmith would make on it."""

    machine: dict[str, Any]
    versions: dict[str, str]
    choices: list[dict[str, str]]


@verb(DoctorOptions)
def doctor(options: DoctorOptions) -> DoctorResult:
    """Return facts of the machine and the automatic choices that follow, with reasons. Changes nothing."""
    device = choose_device()
    choices = [
        device,
        choose_threads(),
        choose_precision("auto", device.value),
        choose_allocator(),
        choose_attention("auto", device.value),
    ]
    return DoctorResult(describe_machine(), versions(), [choice.to_dict() for choice in choices])

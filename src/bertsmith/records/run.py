"""run.json: what both kinds of run, pre-training and fine-tuning, record."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from bertsmith.records.base import Part, Record
from bertsmith.runtime.machine import AutomaticChoice

FILE = "run.json"
VERSION = 1
"""1: the first with a version. Files without one have the same fields."""


class Machine(Part):
    """The machine that a run was started on, without names of hosts, users or paths."""

    system: str | None = None
    python: str | None = None
    processor: str | None = None
    cores: int | None = None
    memory_gb: float | None = None


class TrainingLength(Part):
    """How long a run trains: a number of updates, or minutes."""

    steps: int | None = None
    minutes: float | None = None


class RunRecord(Record):
    """The fields of every run.json; each kind of run adds its own.

    The file has the fields in the order in which they were given, whichever class declares them.
    """

    kind: str = ""
    """Which record it is; files of other programs, and of the first versions, have none."""
    status: Literal["running", "interrupted", "finished"] = "finished"
    command: str = ""
    options: dict[str, Any]
    """The options of the verb as JSON, by the names of the version that wrote the file."""
    choices: list[AutomaticChoice] = Field(default_factory=list)
    """What was chosen automatically, with the reasons."""
    machine: Machine = Field(default_factory=Machine)
    versions: dict[str, str] = Field(default_factory=dict)
    data: Part
    warnings: list[str] = Field(default_factory=list)
    budget: TrainingLength | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended as planned; a run that resumes after its end has not."""
        return self.status == "finished"

    @model_validator(mode="wrap")
    @classmethod
    def _in_given_order(cls, content: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Pydantic writes the fields in the order of `__dict__`, which would be that of the classes."""
        record = handler(content)
        if isinstance(content, dict):
            fields = record.__dict__
            given = {name: fields[name] for name in content if name in fields}
            object.__setattr__(record, "__dict__", given | fields)
        return record

"""suite.json: the record of a suite of tasks, in the folder that holds their RUNs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from bertsmith.errors import InputError
from bertsmith.records.base import Part, Record
from bertsmith.records.finetuning import MeanFigure
from bertsmith.records.run import Machine

FILE = "suite.json"
VERSION = 1
"""1 is the first version. Files without a version have the same fields."""

OverSeeds = Literal["mean", "median", "best"]


class TableFigure(Part):
    """A value of the table; `low` and `high` are None if it has no interval."""

    value: float
    low: float | None
    high: float | None


class SuiteProtocol(Part):
    """How a task was measured: the files, and which value of several seeds is shown."""

    figures_of: str
    chosen_on: str
    selected_on_reported_data: bool
    over_seeds: OverSeeds = "mean"
    seeds: int = 1

    @property
    def is_optimistic(self) -> bool:
        """Whether the value is the best of several seeds, selected on the reported examples."""
        return self.seeds > 1 and self.over_seeds == "best" and self.selected_on_reported_data


class SuiteTask(Part):
    """The results of a task: of models that were trained on it, or of the models of a different task on `file`."""

    metrics: dict[str, MeanFigure]
    seeds: list[int]
    """The seeds in `metrics`, in their order."""
    best_seed: int
    protocol: SuiteProtocol
    baseline: dict[str, float]
    num_examples: int
    num_train_examples: int | None = None
    drawn_from: int | None = None
    """The number of examples in the training file, if only a random sample was used."""
    diverged_seeds: list[int] = Field(default_factory=list)
    truncated_tokens: int | None = None
    seconds: float | None = None
    """Seconds of training over all seeds; not set if the models belong to a different task."""
    file: str | None = None
    run: str
    sha256: str | None = None
    """The checksum of `file`."""
    figures: dict[str, TableFigure]
    score: float
    """The mean of `figures`."""


class Average(Part):
    """The mean over the tasks; `low` and `high` are None if it has no interval."""

    mean: float
    low: float | None
    high: float | None
    over_seeds: OverSeeds
    tasks: list[str]
    partial: bool


class Failure(Part):
    """Why a task failed."""

    error: str
    message: str


class SuiteRecord(Record):
    """suite.json."""

    advice: ClassVar[str] = (
        "The RUNs next to it can still be used. Try: repeat the command with --overwrite or a different --out"
    )

    kind: Literal["suite"] = "suite"
    suite: Literal["glue"]
    status: Literal["running", "interrupted", "finished"]
    command: str
    options: dict[str, Any]
    """The options of the verb as JSON, with the names of the version that wrote the file."""
    machine: Machine
    versions: dict[str, str]
    tasks: dict[str, SuiteTask]
    failures: dict[str, Failure]
    to_do: list[str] = Field(default_factory=list)
    average: Average | None
    missing: list[str]
    """The tasks that are missing in the average."""

    @property
    def model(self) -> str:
        """The MODEL that all tasks start from."""
        return str(self.options.get("model", "unknown"))

    @classmethod
    def of(cls, content: Any, path: Path) -> Self:
        """Validate the content of a file; an InputError also has the command that repeats the suite, if known."""
        try:
            return super().of(content, path)
        except InputError as error:
            command = content.get("command") if isinstance(content, Mapping) else None
            raise InputError(f"{error}:\n  {command}" if command else str(error)) from None

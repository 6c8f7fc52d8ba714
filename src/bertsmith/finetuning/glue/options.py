"""Options of `finetune glue`: a MODEL and a folder of GLUE to figures."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from bertsmith.config import tutorial_names
from bertsmith.config.options import Options
from bertsmith.finetuning.glue.tasks import MEASURED_WITH, NAMES, plain
from bertsmith.finetuning.options import HeadTrainingOptions
from bertsmith.records.suite import OverSeeds
from bertsmith.tasks.files.options import parted


class GlueFolderOptions(Options):
    """What is trained: a MODEL on the tasks of a folder."""

    model: str = Field(description="the MODEL to start from, for every task")
    data: Path = Field(description="the folder of GLUE: a folder for each task (MRPC, RTE, ...) with train and dev")
    tasks: tuple[str, ...] | None = Field(
        None, description=f"the tasks, parted by commas: {', '.join(NAMES)} (default, or all: those that are there)"
    )
    out: Path = Field(description="the folder of the results: a RUN for each task, suite.json and report.html")
    report_on: Literal["dev", "test"] = Field(
        "dev",
        description="the files that the figures are of; test: those test files that have labels, dev files for others",
    )

    over_seeds: OverSeeds = Field(
        "mean",
        description="what stands in the table of several seeds: their mean, their median, or the seed that is best on "
        "the dev file",
    )

    @field_validator("tasks", mode="before")
    @classmethod
    def _parted(cls, value: object) -> object:
        """Names in one text, parted by commas, or in a list; `all` is none in particular."""
        words = parted(value)
        if not isinstance(words, tuple):
            return words
        named = tuple(filter(None, words))
        return None if [word.lower() for word in named] == ["all"] else named

    @field_validator("tasks")
    @classmethod
    def _known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """In the order of GLUE, each once, as GLUE writes it."""
        if value is None:
            return None
        known = {plain(name): name for name in NAMES}
        for word in value:
            owner = MEASURED_WITH.get(plain(word))
            if owner is not None:
                raise ValueError(f"{word} is measured with the model of {owner}, where its file is there: give {owner}")
            if plain(word) not in known:
                near = difflib.get_close_matches(plain(word), known, n=1, cutoff=0.5)
                hint = f"; did you mean '{known[near[0]]}'?" if near else ""
                raise ValueError(f"found {word!r}, expected all, or some of {', '.join(NAMES)}{hint}")
        if not value:
            raise ValueError(f"no task is named, expected all, or some of {', '.join(NAMES)}")
        wanted = {plain(word) for word in value}
        return tuple(name for name in NAMES if plain(name) in wanted)


class GlueOptions(HeadTrainingOptions, GlueFolderOptions):
    """Fine-tune a MODEL on the tasks of GLUE, one after the other."""

    names_in_other_tools: ClassVar[Mapping[str, str]] = tutorial_names.GLUE
    verb: ClassVar[str] = "finetune glue"
    record_file: ClassVar[str] = "suite.json"
    record_kind: ClassVar[str] = "suite"

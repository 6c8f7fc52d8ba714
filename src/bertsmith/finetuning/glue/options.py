"""Options of `finetune glue`: a MODEL and the GLUE folder to figures."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from bertsmith.config import help_groups, tutorial_names
from bertsmith.config.options import Options
from bertsmith.finetuning.glue.tasks import MEASURED_WITH, NAMES, normalized_task_name
from bertsmith.finetuning.options import HeadTrainingOptions
from bertsmith.records.suite import OverSeeds
from bertsmith.tasks.files.options import comma_separated


class GlueFolderOptions(Options):
    """MODEL, the folder with the tasks, and the folder of the results."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("model", "data", "tasks", "out"),
        help_groups.EVALUATION: ("eval_every", "report_on", "over_seeds"),
    }

    model: str = Field(description="MODEL to start from, for every task: RUN, model folder or hub name")
    data: Path = Field(description="GLUE folder: a folder per task (MRPC, RTE, ...) with a train and a dev file")
    tasks: tuple[str, ...] | None = Field(
        None, description=f"comma-separated tasks (default: all in the folder): {', '.join(NAMES)}"
    )
    out: Path = Field(description="folder to write the results to: a RUN per task, suite.json, report.html")
    report_on: Literal["dev", "test"] = Field(
        "dev",
        description="files to report figures on; test: test files with labels, else dev files",
    )

    over_seeds: OverSeeds = Field(
        "mean",
        description="table entry for several seeds: their mean, their median, or the seed that is best on dev",
    )

    @field_validator("tasks", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        """Return the names of a comma-separated text or of a list; None for `all`."""
        words = comma_separated(value)
        if not isinstance(words, tuple):
            return words
        named = tuple(filter(None, words))
        return None if [word.lower() for word in named] == ["all"] else named

    @field_validator("tasks")
    @classmethod
    def _known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Return the tasks in the order and spelling of GLUE, each once."""
        if value is None:
            return None
        known = {normalized_task_name(name): name for name in NAMES}
        for word in value:
            trained = MEASURED_WITH.get(normalized_task_name(word))
            if trained is not None:
                raise ValueError(
                    f"found {word}, which is only measured, with the model of {trained}, if the folder has its file. "
                    f"Try: {trained}"
                )
            if normalized_task_name(word) not in known:
                near = difflib.get_close_matches(normalized_task_name(word), known, n=1, cutoff=0.5)
                hint = f"; did you mean '{known[near[0]]}'?" if near else ""
                raise ValueError(f"found {word!r}, expected all, or some of {', '.join(NAMES)}{hint}")
        if not value:
            raise ValueError(f"found no task, expected all, or some of {', '.join(NAMES)}")
        wanted = {normalized_task_name(word) for word in value}
        return tuple(name for name in NAMES if normalized_task_name(name) in wanted)


class GlueOptions(HeadTrainingOptions, GlueFolderOptions):
    """Fine-tune a MODEL on the tasks of GLUE, one after the other."""

    names_in_other_tools: ClassVar[Mapping[str, str]] = tutorial_names.GLUE
    verb: ClassVar[str] = "finetune glue"
    record_file: ClassVar[str] = "suite.json"
    record_kind: ClassVar[str] = "suite"

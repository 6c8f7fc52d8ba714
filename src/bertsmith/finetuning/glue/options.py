"""GLUE (Wang et al. 2018): its tasks as data, and the options of `finetune glue`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from bertsmith.config import tutorial_names
from bertsmith.config.options import Options
from bertsmith.finetuning.options import HeadTrainingOptions
from bertsmith.tasks.files.options import parted


@dataclass(frozen=True)
class Layout:
    """Where text, second text and label stand in a file: by name, or, of a file without a header, by number."""

    text: str
    pair: str | None
    label: str
    no_header: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a file must have."""
        return tuple(name for name in (self.text, self.pair, self.label) if name is not None)


@dataclass(frozen=True)
class Further:
    """A file that a task's models are measured on besides its dev file; nothing is trained or chosen on it."""

    name: str
    folders: tuple[str, ...]
    files: tuple[str, ...]
    metrics: tuple[str, ...]
    layouts: tuple[Layout, ...]
    in_average: bool


@dataclass(frozen=True)
class GlueTask:
    """A task of GLUE: its folder, its files (names without their endings), their columns, and its own metrics.

    The first metric is the one that checkpoints and seeds are chosen by. `layouts` are the forms in which the files
    are found: GLUE's own first, then that of the data sets of the Hub.
    """

    name: str
    metrics: tuple[str, ...]
    layouts: tuple[Layout, ...]
    regression: bool = False
    dev: tuple[str, ...] = ("dev", "validation")
    test: tuple[str, ...] = ("test",)
    further: tuple[Further, ...] = ()
    positive: str | None = None
    """The class that F1 is of, where a metric is F1."""
    broken_rows: bool = False
    """Whether GLUE's own files have rows in pieces (a line end within a question), which everybody leaves out."""


TRAIN = ("train",)
_SENTENCES = Layout("sentence1", "sentence2", "label")
_PREMISES = Layout("premise", "hypothesis", "label")
_MNLI = (Layout("sentence1", "sentence2", "gold_label"), _PREMISES, _SENTENCES)

GLUE = (
    GlueTask("CoLA", ("matthews",), (Layout("sentence", None, "label"), Layout("3", None, "1", no_header=True))),
    GlueTask("SST-2", ("accuracy",), (Layout("sentence", None, "label"),)),
    GlueTask("MRPC", ("accuracy", "f1"), (Layout("#1 String", "#2 String", "Quality"), _SENTENCES), positive="1"),
    GlueTask(
        "STS-B",
        ("pearson", "spearman"),
        (Layout("sentence1", "sentence2", "score"), _SENTENCES),
        regression=True,
    ),
    GlueTask(
        "QQP",
        ("accuracy", "f1"),
        (Layout("question1", "question2", "is_duplicate"), Layout("question1", "question2", "label")),
        positive="1",
        broken_rows=True,
    ),
    GlueTask(
        "MNLI",
        ("accuracy",),
        _MNLI,
        dev=("dev_matched", "validation_matched"),
        test=("test_matched",),
        further=(
            Further(
                "MNLI-mm", ("MNLI",), ("dev_mismatched", "validation_mismatched"), ("accuracy",), _MNLI, in_average=True
            ),
            Further(
                "AX",
                ("AX", "diagnostic", "MNLI"),
                ("diagnostic-full", "diagnostic", "AX", "test"),
                ("matthews",),
                (Layout("Premise", "Hypothesis", "Label"), _PREMISES, _SENTENCES),
                in_average=False,
            ),
        ),
    ),
    GlueTask("QNLI", ("accuracy",), (Layout("question", "sentence", "label"),)),
    GlueTask("RTE", ("accuracy",), (_SENTENCES,)),
    GlueTask("WNLI", ("accuracy",), (_SENTENCES,)),
)
"""In the order of GLUE's own table; the average is over these."""

NAMES = tuple(task.name for task in GLUE)


def plain(name: str) -> str:
    """A name as it is compared: `SST-2`, `sst2` and `sst_2` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_OF_ANOTHER: Mapping[str, str] = MappingProxyType(
    {plain(further.name): task.name for task in GLUE for further in task.further} | {plain("MNLI-m"): "MNLI"}
)


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

    over_seeds: Literal["mean", "median", "best"] = Field(
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
            owner = _OF_ANOTHER.get(plain(word))
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

    names_elsewhere: ClassVar[Mapping[str, str]] = tutorial_names.GLUE
    verb: ClassVar[str] = "finetune glue"
    record_file: ClassVar[str] = "suite.json"
    record_kind: ClassVar[str] = "suite"

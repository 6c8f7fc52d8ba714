"""The tasks of GLUE (Wang et al. 2018) as data: their files, columns and metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Layout:
    """The columns of text, second text and label: names, or numbers in a file without a header."""

    text: str
    pair: str | None
    label: str
    no_header: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a file must have."""
        return tuple(name for name in (self.text, self.pair, self.label) if name is not None)


@dataclass(frozen=True)
class ExtraFile:
    """A file that a task's models are also measured on; never used for training or selection."""

    name: str
    folders: tuple[str, ...]
    files: tuple[str, ...]
    metrics: tuple[str, ...]
    layouts: tuple[Layout, ...]
    in_average: bool


@dataclass(frozen=True)
class GlueTask:
    """A task of GLUE: its files (names without endings), their columns, and its metrics.

    The first metric selects checkpoints and seeds. `layouts` has the columns of GLUE's own files first, then those of
    the Hub's data sets.
    """

    name: str
    metrics: tuple[str, ...]
    layouts: tuple[Layout, ...]
    regression: bool = False
    dev: tuple[str, ...] = ("dev", "validation")
    test: tuple[str, ...] = ("test",)
    extra_files: tuple[ExtraFile, ...] = ()
    positive: str | None = None
    """The class that F1 is computed for, if F1 is a metric."""
    broken_rows: bool = False
    """Whether GLUE's own files have broken rows (a line end within a question), which are always skipped."""


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
        extra_files=(
            ExtraFile(
                "MNLI-mm", ("MNLI",), ("dev_mismatched", "validation_mismatched"), ("accuracy",), _MNLI, in_average=True
            ),
            ExtraFile(
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
"""All tasks, in the order of GLUE's own table; the average is over them."""

NAMES = tuple(task.name for task in GLUE)


def normalized_task_name(name: str) -> str:
    """Return a name for comparison: `SST-2`, `sst2` and `sst_2` are equal."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


MEASURED_WITH: Mapping[str, str] = MappingProxyType(
    {normalized_task_name(extra.name): task.name for task in GLUE for extra in task.extra_files}
    | {normalized_task_name("MNLI-m"): "MNLI"}
)
"""Extra files by their normalized names, and the task whose models are measured on them."""

"""The tasks of GLUE (Wang et al. 2018) as data: their files, columns and metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Layout:
    """The columns of text, second text and label in a file: by name, or by number in a file without a header."""

    text: str
    pair: str | None
    label: str
    no_header: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a file must have."""
        return tuple(name for name in (self.text, self.pair, self.label) if name is not None)


@dataclass(frozen=True)
class ExtraFile:
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
    extra_files: tuple[ExtraFile, ...] = ()
    positive: str | None = None
    """The class that F1 is of, if a metric is F1."""
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
"""In the order of GLUE's own table; the average is over these."""

NAMES = tuple(task.name for task in GLUE)


def normalized_task_name(name: str) -> str:
    """A name as it is compared: `SST-2`, `sst2` and `sst_2` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


MEASURED_WITH: Mapping[str, str] = MappingProxyType(
    {normalized_task_name(extra.name): task.name for task in GLUE for extra in task.extra_files}
    | {normalized_task_name("MNLI-m"): "MNLI"}
)
"""The files that are measured with the models of a task, by their plain names, and that task."""

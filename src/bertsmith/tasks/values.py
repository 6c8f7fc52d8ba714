"""Types and values that the parts of a task exchange with each other and with their callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.entities import LabelCounts

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float32]
ModelInputs = dict[str, Ints]
"""The inputs of a model by name."""
ModelOutputs = Mapping[str, Logits]
"""The outputs of a model for a batch, by name, such as `logits`."""

SINGLE_LABEL = "single_label_classification"
"""The default of `--problem-type`, and the only value that tasks without several problem types accept."""
IGNORED = -100
"""The target of a token that has no loss, as in transformers."""
MISSING_LOGIT = -1e9
"""The logit of a choice that an example does not have."""


class Tokenizer(Protocol):
    """The part of a fast transformers tokenizer that encoding uses; the ids of special tokens are attributes."""

    def __call__(self, *texts: Any, **options: Any) -> Any:
        """Encode texts as ids."""
        ...

    def __getattr__(self, name: str) -> Any: ...


class Inputs(Protocol):
    """Examples as rows of ids."""

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        ...

    @property
    def full_lengths(self) -> list[int]:
        """Tokens of each example before truncation or windowing."""
        ...

    @property
    def truncated_tokens(self) -> list[int]:
        """Tokens of each example that are in no row."""
        ...

    @property
    def windowed_examples(self) -> int | None:
        """Number of examples that are read in several windows; None for a task that truncates instead."""
        ...


class TaskOptions(Protocol):
    """The options of `finetune`, `evaluate` and `compare` that are about labels."""

    @property
    def problem_type(self) -> str | None:
        """A problem type as in a model's configuration; None for the MODEL's own."""
        ...

    @property
    def labels_are(self) -> Any:
        """The kind of tags, `plain` or `entities`; None if not given."""
        ...

    @property
    def model_fields_set(self) -> set[str]:
        """The options that were given."""
        ...


@dataclass(frozen=True)
class ComparisonItem:
    """An example to compare with others: its texts, its label as one string, and its location in the file."""

    texts: tuple[str, ...]
    label: str
    place: str


@dataclass(frozen=True)
class LabelledPrediction:
    """The label of an example and the model's prediction, as texts.

    Attributes:
        label, predicted: in words.
        wrong: whether they differ; for numbers always true.
        error: how wrong the prediction is, higher is worse; the task's `error_name` names it.
        probability: of the prediction; None for a task without probabilities.
    """

    label: str
    predicted: str
    wrong: bool
    error: float
    probability: float | None = None


@dataclass(frozen=True)
class Decisions:
    """Classifications of examples, or of their words, as logits and targets.

    Attributes:
        logits: float64 of [cases, classes], before temperature scaling; minus infinity for a class that a case does
            not have.
        targets: int64 of [cases].
    """

    logits: npt.NDArray[np.float64]
    targets: Ints


@dataclass(frozen=True)
class ConfusionCounts:
    """How often labels are predicted and confused.

    Attributes:
        labels: for each label how often it is correct, predicted and in the labels.
        pairs: how often each (label, prediction) occurs; empty if an example may have several labels.
        of: the unit of `pairs`.
    """

    labels: Mapping[str, LabelCounts]
    pairs: Mapping[tuple[str, str], int]
    of: str = "examples"


def count_confusions(
    labels: Sequence[str], pairs: Mapping[tuple[str, str], int], of: str = "examples"
) -> ConfusionCounts:
    """Return the confusion counts of examples or words that have one label each."""
    labelled, predicted = (dict.fromkeys(labels, 0) for _ in range(2))
    for (label, prediction), count in pairs.items():
        labelled[label] += count
        predicted[prediction] += count
    counts = {label: LabelCounts(pairs.get((label, label), 0), predicted[label], labelled[label]) for label in labels}
    return ConfusionCounts(counts, pairs, of)

"""The values that the parts of a task hand to each other, and to those who use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.entities import Counts

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float32]
Batch = dict[str, Ints]
"""The inputs of a model by name."""
ModelOutputs = Mapping[str, Logits]
"""The outputs of a model by name, such as `logits`, of a batch."""

SINGLE_LABEL = "single_label_classification"
"""The default of `--problem-type`, and the only one that a task without a choice of it takes."""
IGNORED = -100
"""The target of a token without a loss, as in transformers."""
MISSING_LOGIT = -1e9
"""The logit of an option that an example lacks."""


class Tokenizer(Protocol):
    """What encoding needs of a tokenizer of transformers, fast ones only; the ids of special tokens are attributes."""

    def __call__(self, *texts: Any, **options: Any) -> Any:
        """Texts to ids."""
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
        """Tokens of each example, before anything is cut or divided."""
        ...

    @property
    def truncated_tokens(self) -> list[int]:
        """Tokens of each example that no row holds."""
        ...

    @property
    def windowed(self) -> int | None:
        """The number of examples that are read in several windows; None for a task that cuts instead."""
        ...


class TaskOptions(Protocol):
    """The options of `finetune`, `evaluate` and `compare` that say something of the labels."""

    @property
    def problem_type(self) -> str | None:
        """As in a model's configuration; None for that of the MODEL."""
        ...

    @property
    def labels_are(self) -> Any:
        """The kind of tags, `plain` or `entities`; None if it is not given."""
        ...

    @property
    def model_fields_set(self) -> set[str]:
        """The options that were given."""
        ...


@dataclass(frozen=True)
class ComparisonItem:
    """An example for comparison with others: its text or texts, its label as one text, and its place in the file."""

    texts: tuple[str, ...]
    label: str
    place: str


@dataclass(frozen=True)
class LabelledPrediction:
    """The label of an example and a model's answer, as texts.

    Attributes:
        true, predicted: in words.
        wrong: whether they differ; numbers always do.
        error: how wrong the answer is, more is worse; the task's `error` names it.
        probability: of the answer; None for a task without probabilities.
    """

    true: str
    predicted: str
    wrong: bool
    error: float
    probability: float | None = None


@dataclass(frozen=True)
class Decisions:
    """Choices of one of several classes: of the examples, or of their words.

    Attributes:
        logits: float64 of [cases, classes], before any temperature; minus infinity if a case lacks a class.
        targets: int64 of [cases].
    """

    logits: npt.NDArray[np.float64]
    targets: Ints


@dataclass(frozen=True)
class ConfusionCounts:
    """Counts of labels.

    Attributes:
        labels: of each label how often it is right, predicted and true.
        pairs: how often each (true, predicted) occurs; empty if an example may have several labels.
        of: what is counted in `pairs`.
    """

    labels: Mapping[str, Counts]
    pairs: Mapping[tuple[str, str], int]
    of: str = "examples"


def count_confusions(
    labels: Sequence[str], pairs: Mapping[tuple[str, str], int], of: str = "examples"
) -> ConfusionCounts:
    """The tally of examples or words with one label each."""
    right = {label: pairs.get((label, label), 0) for label in labels}
    said, true = (dict.fromkeys(labels, 0) for _ in range(2))
    for (target, predicted), count in pairs.items():
        true[target] += count
        said[predicted] += count
    return ConfusionCounts({label: Counts(right[label], said[label], true[label]) for label in labels}, pairs, of)

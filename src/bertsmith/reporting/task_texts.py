"""The sentences of a task in model cards and reports; each task gives its own (`tasks/*/card.py`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskTexts:
    """What a card and a report say of a model with a task.

    Attributes:
        use: what the model does with a text, without a full stop.
        output: its output; `{count}` and `{labels}` are the number and the list of the labels.
        wrong: what is counted as an error, after a number of texts.
        limit: the texts that it is not for.
        labels_are_classes: whether the labels are classes, which may be too rare to be learnt.
        lower_is_better: the metrics of which the lowest value is the best.
    """

    use: str
    output: str
    wrong: str
    limit: str | None = None
    labels_are_classes: bool = True
    lower_is_better: frozenset[str] = frozenset()

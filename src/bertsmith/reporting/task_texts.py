"""The sentences about a task in model cards and reports; every task defines them in `tasks/*/card.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskTexts:
    """The sentences about a model in its card and report.

    Attributes:
        use: what the model does with a text, in a sentence without a full stop.
        output: its output; `{count}` and `{labels}` stand for the number and the list of labels.
        wrong: what counts as an error; follows a number, as in "12 of 1,000 texts get a wrong label".
        limit: the texts that the model is not for.
        labels_are_classes: whether the labels are classes, which may have too few examples.
        lower_is_better: the metrics whose lowest value is the best.
    """

    use: str
    output: str
    wrong: str
    limit: str | None = None
    labels_are_classes: bool = True
    lower_is_better: frozenset[str] = frozenset()

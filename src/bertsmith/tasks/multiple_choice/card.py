"""The sentences of model card and report for multiple-choice."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts


def texts(record: FinetuningRecord) -> TaskTexts:
    """The texts of every model with this task."""
    return TaskTexts(
        use="It says which of the given choices is right",
        output="the number of a choice; its training file has up to {count} of them",
        wrong="questions get a wrong choice",
        limit="Not for questions of which no choice is right: it chooses one all the same.",
        labels_are_classes=False,
    )


CARD = texts

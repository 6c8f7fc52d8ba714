"""The sentences about multiple-choice in model card and report."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts


def texts(record: FinetuningRecord) -> TaskTexts:
    """Return the texts for any model with this task."""
    return TaskTexts(
        use="It chooses the correct one of several choices",
        output="the number of a choice; its training file has up to {count} choices per question",
        wrong="questions get a wrong choice",
        limit="Not for questions without a correct choice: it always picks one.",
        labels_are_classes=False,
    )


CARD = texts

"""The sentences of model card and report for token-classification."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts


def texts(record: FinetuningRecord) -> TaskTexts:
    """The texts of every model with this task."""
    return TaskTexts(
        use="It says which label each word of a text has",
        output="one of {count} labels: {labels}",
        wrong="texts have at least one wrong label",
        limit="Not for labels other than these: each word gets one of them.",
    )


CARD = texts

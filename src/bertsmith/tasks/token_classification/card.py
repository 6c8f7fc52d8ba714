"""The sentences about token-classification in model card and report."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts


def texts(record: FinetuningRecord) -> TaskTexts:
    """Return the texts for any model with this task."""
    return TaskTexts(
        use="It assigns a label to each word of a text",
        output="one of {count} labels: {labels}",
        wrong="texts have at least one wrong label",
        limit="Not for other labels: each word gets one of these.",
    )


CARD = texts

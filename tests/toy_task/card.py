"""The sentences about shouting in card and report."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts


def texts(record: FinetuningRecord) -> TaskTexts:
    return TaskTexts(
        use="It hears whether a text is shouted",
        output="one of {count} volumes: {labels}",
        wrong="texts are misheard",
        limit="Not for whispers.",
    )


CARD = texts

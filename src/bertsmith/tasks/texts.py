"""The sentences of card and report for the task of a RUN."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.registry import TASKS


def texts_of(record: FinetuningRecord) -> TaskTexts:
    """The texts of a RUN of `finetune`."""
    texts: TaskTexts = TASKS[record.task].module("card").CARD(record)
    return texts

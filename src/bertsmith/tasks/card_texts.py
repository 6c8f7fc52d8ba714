"""The task-specific sentences of model card and report."""

from __future__ import annotations

from bertsmith.errors import InputError
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.registry import TASKS, trainable_tasks


def card_texts(record: FinetuningRecord) -> TaskTexts:
    """Return the texts for a RUN of `finetune`. Raises InputError for a task that this version does not have."""
    if record.task not in trainable_tasks():
        raise InputError(
            f"run.json: `task`: found {record.task!r}, expected one of {', '.join(trainable_tasks())}. It was written "
            "by a different version of bertsmith. Try: use that version"
        )
    texts: TaskTexts = TASKS[record.task].module("card").CARD(record)
    return texts

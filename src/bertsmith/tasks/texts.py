"""The sentences of card and report for the task of a RUN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertsmith.errors import InputError
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.registry import TASKS, trainable_tasks
from bertsmith.tasks.values import SINGLE_LABEL


def texts_of(record: Mapping[str, Any]) -> TaskTexts:
    """The texts of a RUN of `finetune`, by its run.json. Raises InputError for a task that this version lacks."""
    task = record["task"]
    if task not in trainable_tasks():
        raise InputError(
            f"run.json: `task`: found {task!r}, expected one of {', '.join(trainable_tasks())}; a different version of "
            "bertsmith wrote it. Use that version"
        )
    texts: TaskTexts = TASKS[task].module("card").CARD(str(record["options"].get("problem_type", SINGLE_LABEL)))
    return texts

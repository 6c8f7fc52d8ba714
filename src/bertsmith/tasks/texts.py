"""The sentences of card and report for the task of a RUN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.values import SINGLE_LABEL


def texts_of(record: Mapping[str, Any]) -> TaskTexts:
    """The texts of a RUN of `finetune`, by its run.json."""
    texts: TaskTexts = TASKS[record["task"]].module("card").CARD(record["options"].get("problem_type", SINGLE_LABEL))
    return texts

"""The task of a model by its configuration, and what a configuration holds of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bertsmith.errors import shortened
from bertsmith.tasks.base import TEMPERATURE, task_class
from bertsmith.tasks.registry import trainable_tasks

INPUT_LENGTH = "input_length"
"""The key in a model's configuration of the tokens per row that its head was trained and measured with. (transformers
itself reads `max_length` there, as a setting of text generation.)"""


def has_class(config: Any, task: str) -> bool:
    """Whether a model of this configuration is of the class that a task needs; several tasks may need the same."""
    ending = task_class(task).auto_class.removeprefix("AutoModel")
    return any(name.endswith(ending) for name in config.architectures or [])


def has_head(config: Any, task: str) -> bool:
    """Whether a model of this configuration has the head of a task."""
    return task in _tasks_of(config)


def task_of(config: Any) -> str | None:
    """The task whose head a model of this configuration has; None without a head of ours."""
    return next(iter(_tasks_of(config)), None)


def _tasks_of(config: Any) -> list[str]:
    """The tasks whose class the model is of; of tasks with the same class only the one whose marker it has."""
    fitting = {task: task_class(task) for task in trainable_tasks() if has_class(config, task)}
    marked = {
        task: each
        for task, each in fitting.items()
        if each.identifying_config_key and hasattr(config, each.identifying_config_key)
    }
    taken = {each.auto_class for each in marked.values()}
    return [
        *marked,
        *(task for task, each in fitting.items() if not each.identifying_config_key and each.auto_class not in taken),
    ]


def forget_head(config: Any) -> None:
    """Remove from a model's configuration the entries of a head that it had before."""
    for name in (
        TEMPERATURE,
        INPUT_LENGTH,
        *(key for task in trainable_tasks() for key in task_class(task).config_keys),
    ):
        if hasattr(config, name):
            delattr(config, name)


def forget_labels(config: Any, outputs: int = 2) -> None:
    """Give the outputs of a model the names that transformers gives them, in the place of a former head's labels."""
    config.id2label = {number: f"LABEL_{number}" for number in range(outputs)}
    config.label2id = {label: number for number, label in config.id2label.items()}
    config.problem_type = None


def listed(labels: Sequence[str]) -> str:
    """Labels in a message: the first twenty."""
    shown = ", ".join(map(shortened, labels[:20]))
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"

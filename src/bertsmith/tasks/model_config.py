"""Which task a model's configuration is for, and the entries of a task in a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bertsmith.errors import shortened
from bertsmith.tasks.base import TEMPERATURE, task_class
from bertsmith.tasks.registry import trainable_tasks

INPUT_LENGTH = "input_length"
"""The configuration key of the tokens per row with which the head was trained and measured. (`max_length` is taken:
transformers reads it as a setting of text generation.)"""


def has_class(config: Any, task: str) -> bool:
    """Return whether a model has the class that a task needs; several tasks may need the same class."""
    ending = task_class(task).auto_class.removeprefix("AutoModel")
    return any(name.endswith(ending) for name in config.architectures or [])


def has_head(config: Any, task: str) -> bool:
    """Return whether a model with this configuration has the head of a task."""
    return task in _tasks_of(config)


def task_of(config: Any) -> str | None:
    """Return the task whose head a model with this configuration has; None if it has no head of these tasks."""
    return next(iter(_tasks_of(config)), None)


def _tasks_of(config: Any) -> list[str]:
    """Return the tasks that fit the model's class; of several, only the task whose identifying key is present."""
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
    """Remove the entries of a former head from a model's configuration."""
    for name in (
        TEMPERATURE,
        INPUT_LENGTH,
        *(key for task in trainable_tasks() for key in task_class(task).config_keys),
    ):
        if hasattr(config, name):
            delattr(config, name)


def forget_labels(config: Any, outputs: int = 2) -> None:
    """Replace the labels of a former head by the default names of transformers."""
    config.id2label = {number: f"LABEL_{number}" for number in range(outputs)}
    config.label2id = {label: number for number, label in config.id2label.items()}
    config.problem_type = None


def listed(labels: Sequence[str]) -> str:
    """Return the first twenty labels for a message."""
    shown = ", ".join(map(shortened, labels[:20]))
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"

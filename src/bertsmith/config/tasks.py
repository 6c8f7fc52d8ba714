"""The list of tasks, once: command line, predictor and fine-tuning go through it.

It holds names only, so that `--help` can show it without importing torch. A new head is one file in
`bertsmith/tasks/` and one line here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskEntry:
    """A task's name, the module that encodes, decodes and scores it, and the verb that predicts with it."""

    name: str
    module: str
    verb: str


TASKS: dict[str, TaskEntry] = {
    entry.name: entry
    for entry in (TaskEntry("sequence-classification", "bertsmith.tasks.sequence_classification", "classify"),)
}

"""The names of the tasks, once. It holds names only, so that `--help` can show them without importing torch."""

from __future__ import annotations

from collections.abc import Sequence

HEADS = {
    "sequence-classification": "classify",
    "token-classification": "tag",
    "multiple-choice": "choose",
}
"""The tasks that have a head, and the verb that uses it. The head of a task stands in the module of its name in
`bertsmith.tasks`."""

TASKS = tuple(HEADS)
SCORED_TASKS = (*TASKS, "question-answering")
"""The tasks whose predictions can be scored: those with a head, and one whose predictions come from elsewhere."""


def known_task(value: str, tasks: Sequence[str]) -> str:
    """The name, where it is one of these; else ValueError in the words of an option."""
    if value not in tasks:
        raise ValueError(f"found {value!r}, expected one of {', '.join(tasks)}")
    return value

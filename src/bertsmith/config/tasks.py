"""The names of the tasks, once. It holds names only, so that `--help` can show them without importing torch."""

from __future__ import annotations

HEADS = {
    "sequence-classification": "classify",
    "token-classification": "tag",
}
"""The tasks that have a head, and the verb that uses it. The head of a task stands in the module of its name in
`bertsmith.tasks`."""

TASKS = tuple(HEADS)
SCORED_TASKS = (*TASKS, "question-answering")
"""The tasks whose predictions can be scored: those with a head, and one whose predictions come from elsewhere."""

"""The names of the tasks, once. It holds names only, so that `--help` can show them without importing torch."""

from __future__ import annotations

TASKS = ("sequence-classification",)
SCORED_TASKS = (*TASKS, "token-classification", "question-answering")
"""The tasks whose predictions can be scored: those with a head, and two whose predictions come from elsewhere."""

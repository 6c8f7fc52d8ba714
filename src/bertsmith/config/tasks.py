"""The names of the tasks, once. It holds names only, so that `--help` can show them without importing torch."""

from __future__ import annotations

TASKS = ("sequence-classification",)

"""Everything that differs between tasks is in their folders; all other code uses the registry."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

import bertsmith
from bertsmith.tasks.registry import TASKS, trainable_tasks

SOURCE = Path(bertsmith.__file__).parent
MODULES = ("command", "predict", "task", "head", "score", "card")
CHOSEN_BY_NAME = {
    "verbs/finetune_glue.py": "GLUE is a suite of one task",
    "finetuning/glue/entries.py": "GLUE is a suite of one task",
    "verbs/quickstart.py": "the demonstration trains one task",
}
"""Modules that choose a task by its name, as a user does."""


@pytest.mark.parametrize("task", trainable_tasks())
def test_every_room_is_complete(task: str) -> None:
    for name in MODULES:
        assert importlib.util.find_spec(f"{TASKS[task].folder}.{name}") is not None, name


def mentions(path: Path) -> Iterator[str]:
    """The task names in a module's strings, and the modules of task folders that it imports."""
    folders = {entry.folder for entry in TASKS.values()}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in trainable_tasks():
            yield str(node.value)
        imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        imported += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in imported if any(f"{name}.".startswith(f"{folder}.") for folder in folders))


def test_only_the_rooms_and_the_registry_know_tasks_by_name() -> None:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        in_a_room = any(
            name.startswith(entry.folder.removeprefix("bertsmith.").replace(".", "/")) for entry in TASKS.values()
        )
        if in_a_room or name == "tasks/registry.py" or name in CHOSEN_BY_NAME:
            continue
        if known := sorted(set(mentions(path))):
            found[name] = known
    assert found == {}


def test_a_room_is_found_in_a_module() -> None:
    """The search finds a known case."""
    assert "sequence-classification" in set(mentions(SOURCE / "verbs" / "quickstart.py"))
    assert any(
        "tasks.sequence_classification" in name for name in mentions(SOURCE / "tasks/sequence_classification/task.py")
    )

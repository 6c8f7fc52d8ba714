"""The verb of every task: its modules do not need torch, and its declarations agree with the registry."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertsmith import tasks
from bertsmith.config.options import Options
from bertsmith.config.verb import Result
from bertsmith.tasks.registry import TASKS

FOLDER = Path(tasks.__path__[0])
WITHOUT_TORCH = [
    *(FOLDER / f"{name}.py" for name in ("command", "predict_options", "registry", "runner", "text_checks")),
    *sorted(FOLDER.glob("*/command.py")),
    *sorted(FOLDER.glob("*/predict.py")),
]


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, including imports inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", WITHOUT_TORCH, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_only_heads_import_torch(path: Path) -> None:
    names = list(imports(path))
    assert not [name for name in names if name.split(".")[0] in ("torch", "transformers") or name.endswith(".head")]
    above = ("inference", "evaluation", "training", "finetuning", "pretraining", "verbs", "cli")
    assert not [name for name in names if name.startswith(tuple(f"bertsmith.{layer}" for layer in above))]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_declares_its_verb(task: str) -> None:
    entry = TASKS[task]
    command = entry.module("command").COMMAND
    assert command.name == entry.verb
    assert issubclass(command.schema, Options)
    assert {"model", "precision", "input"} <= set(command.schema.model_fields)
    assert command.example.startswith(f"bertsmith {entry.verb} ")
    predict = getattr(entry.module("predict"), entry.verb.replace("-", "_"))
    assert next(iter(inspect.signature(predict).parameters)) == "runner"
    assert predict.__doc__
    results = [value for value in vars(entry.module("predict")).values() if inspect.isclass(value)]
    assert any(issubclass(value, Result) and value is not Result for value in results)

"""shout: whether a text is shouted."""

from __future__ import annotations

from dataclasses import dataclass

from bertsmith.config.verb import Result
from bertsmith.tasks.files.labelled_file import Row
from bertsmith.tasks.runner import Runner


@dataclass(frozen=True)
class Shout(Result):
    text: str
    label: str


def shout(runner: Runner, text: list[str]) -> list[Shout]:
    """Whether each text is shouted."""
    task = runner.task("shouting")
    inputs = task.encode(runner.tokenizer, [Row(each, None, "") for each in text], runner.row_length("shouting", None))
    labels = task.answers(runner.head_outputs(task, inputs))
    return [Shout(each, label) for each, label in zip(text, labels, strict=True)]

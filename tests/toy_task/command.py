"""bertsmith shout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.config.verb import Result
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import read_input_texts
from bertsmith.tasks.predict_options import PredictOptions
from bertsmith.tasks.runner import Runner


def _predict(model: Runner, options: PredictOptions, texts: list[str]) -> Iterable[Result]:
    from toy_task.predict import shout

    return shout(model, texts)


def _show(result: Any) -> str:
    return f"{result.label}   {result.text}"


COMMAND = TaskCommand(
    "shout",
    "Whether a text is shouted.",
    PredictOptions,
    read_input_texts,
    _predict,
    _show,
    'bertsmith shout runs/shouts "A text."',
)

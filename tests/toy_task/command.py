"""bertsmith shout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.config.verb import Result
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import texts_of
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
    texts_of,
    _predict,
    _show,
    'bertsmith shout runs/shouts "A text."',
)

"""bertsmith tag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.config.shared_options import MaxLength
from bertsmith.config.verb import Result
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import read_input_texts
from bertsmith.tasks.predict_options import PredictOptions
from bertsmith.tasks.runner import Runner


class TagOptions(PredictOptions):
    """Find the entities of a text, or label each word."""

    max_length: MaxLength = None


def _predict(model: Runner, options: TagOptions, texts: list[str]) -> Iterable[Result]:
    from bertsmith.tasks.token_classification.predict import tag

    return tag(model, texts, max_length=options.max_length)


def _show(result: Any) -> str:
    lines = [
        f"  {percent(entity.score):>6}  {entity.label:<12} {entity.text}   ({entity.start} to {entity.end})"
        for entity in result.entities
    ]
    return "\n".join([result.text, *(lines or ["  no entity"])])


COMMAND = TaskCommand(
    "tag",
    "Find the entities of a text and their positions, or label each word; long texts are read in windows.",
    TagOptions,
    read_input_texts,
    _predict,
    _show,
    'bertsmith tag runs/diseases "A patient with cystic fibrosis."',
)

"""bertsmith tag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import texts_of
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.predict_options import TagOptions


def _run(options: TagOptions) -> Iterable[Answer]:
    texts = texts_of(options.texts, options.input, "tag")
    from bertsmith.verbs.predict import load

    yield from load(options.model, precision=options.precision).tag(texts, max_length=options.max_length)


def _show(result: Any) -> str:
    lines = [
        f"  {percent(entity.score):>6}  {entity.label:<12} {entity.text}   ({entity.start} to {entity.end})"
        for entity in result.entities
    ]
    return "\n".join([result.text, *(lines or ["  no entity"])])


COMMAND = Command(
    "tag",
    "The entities of a text with their characters, or the label of each word; long texts are read in windows.",
    TagOptions,
    _run,
    _show,
    'bertsmith tag runs/diseases "A patient with cystic fibrosis."',
)

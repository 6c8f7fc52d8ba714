"""bertsmith embed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import texts_of
from bertsmith.tasks.predict_options import EmbedOptions


def _run(options: EmbedOptions) -> Iterable[Answer]:
    texts = texts_of(options.texts, options.input, "embed")
    from bertsmith.verbs.predict import load

    model = load(options.model, precision=options.precision)
    yield from model.embed(texts, pooling=options.pooling, layer=options.layer)


def _show(result: Any) -> str:
    if result.embedding is None:
        return f"{result.text}\n  no vector (no token)"
    values = " ".join(f"{value:.4f}" for value in result.embedding[:6])
    return f"{result.text}\n  {len(result.embedding)} values: {values} ...   (--json prints all)"


COMMAND = Command(
    "embed",
    "One vector a text: the mean or maximum over its tokens, or that of [CLS], of any layer.",
    EmbedOptions,
    _run,
    _show,
    'bertsmith embed runs/books "first text" "second text" --pooling mean --json',
)

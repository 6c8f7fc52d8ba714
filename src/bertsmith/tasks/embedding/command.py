"""bertsmith embed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from bertsmith.config.verb import Result
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import read_input_texts
from bertsmith.tasks.predict_options import PredictOptions
from bertsmith.tasks.runner import Runner


class EmbedOptions(PredictOptions):
    """Return one vector per text."""

    pooling: Literal["mean", "cls", "max"] | None = Field(
        None,
        description="how to pool the token vectors (default: as in a sentence encoder's folder, else mean)",
    )
    layer: int = Field(-1, description="layer of the token vectors: 0 for the embeddings, -1 for the last")


def _predict(model: Runner, options: EmbedOptions, texts: list[str]) -> Iterable[Result]:
    from bertsmith.tasks.embedding.predict import embed

    return embed(model, texts, pooling=options.pooling, layer=options.layer)


def _show(result: Any) -> str:
    if result.embedding is None:
        return f"{result.text}\n  no vector (no token)"
    values = " ".join(f"{value:.4f}" for value in result.embedding[:6])
    return f"{result.text}\n  {len(result.embedding)} values: {values} ...   (--json prints all)"


COMMAND = TaskCommand(
    "embed",
    "Return one vector per text: the mean or maximum over its tokens, or the vector of [CLS], from any layer.",
    EmbedOptions,
    read_input_texts,
    _predict,
    _show,
    'bertsmith embed runs/books "first text" "second text" --pooling mean --json',
)

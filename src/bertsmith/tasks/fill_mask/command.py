"""bertsmith fill-mask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from bertsmith.config.verb import Result
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import read_input_texts
from bertsmith.tasks.predict_options import PredictOptions
from bertsmith.tasks.runner import Runner


class FillMaskOptions(PredictOptions):
    """Fill each [MASK] of a text."""

    top_k: int = Field(5, gt=0, description="predictions per mask")


def _predict(model: Runner, options: FillMaskOptions, texts: list[str]) -> Iterable[Result]:
    from bertsmith.tasks.fill_mask.predict import fill_mask

    return fill_mask(model, texts, top_k=options.top_k)


def _show(result: Any) -> str:
    lines = [result.text] if result.masks else [result.text, "  no mask (no token)"]
    for mask in result.masks:
        if len(result.masks) > 1:
            lines.append(f"  [MASK] at token {mask.position}")
        lines += [f"  {percent(item.probability):>6}  {item.token:<16} {item.text}" for item in mask.predictions]
    return "\n".join(lines)


COMMAND = TaskCommand(
    "fill-mask",
    "Predict the most probable tokens for each [MASK] of a text, one mask at a time.",
    FillMaskOptions,
    read_input_texts,
    _predict,
    _show,
    'bertsmith fill-mask runs/books "I really [MASK] the movie." --top-k 5',
)

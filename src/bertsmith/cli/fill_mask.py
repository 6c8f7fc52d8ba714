"""bertsmith fill-mask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import texts_of
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.predict_options import FillMaskOptions


def _run(options: FillMaskOptions) -> Iterable[Answer]:
    texts = texts_of(options.texts, options.input, "fill-mask")
    from bertsmith.verbs.predict import load

    yield from load(options.model, precision=options.precision).fill_mask(texts, top_k=options.top_k)


def _show(result: Any) -> str:
    lines = [result.text] if result.masks else [result.text, "  no mask (no token)"]
    for mask in result.masks:
        if len(result.masks) > 1:
            lines.append(f"  [MASK] at token {mask.position}")
        lines += [f"  {percent(item.probability):>6}  {item.token:<16} {item.text}" for item in mask.predictions]
    return "\n".join(lines)


COMMAND = Command(
    "fill-mask",
    "The most probable tokens for each [MASK] of a text, each mask by itself.",
    FillMaskOptions,
    _run,
    _show,
    'bertsmith fill-mask runs/books "I really [MASK] the movie. It was quite interesting." --top-k 5',
)

"""Options that the verbs that predict share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from bertsmith.config.options import Options

MaxLength = Annotated[
    int | None,
    Field(ge=8, description="tokens per row (default: the length that the MODEL was fine-tuned with)"),
]
"""Of the verbs that use a fine-tuned head."""
Precision = Annotated[Literal["auto", "bf16", "fp32"], Field(description="number format of the matrix products")]
"""Of the verbs that compute."""


class ModelOptions(Options):
    """A MODEL, and where the inputs come from."""

    model: str = Field(description="the MODEL")
    input: Path | None = Field(
        None, description="read the inputs from this file, one per line; each line has an answer"
    )


class TextsOptions(ModelOptions):
    """A MODEL and texts."""

    positional: ClassVar[tuple[str, ...]] = ("model", "texts")

    texts: tuple[str, ...] = Field((), description="the texts (default: from --input, or standard input by lines)")

    @field_validator("texts", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class PredictOptions(TextsOptions):
    """A MODEL that computes."""

    precision: Precision = "fp32"

"""Options that predicting verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from bertsmith.config import help_groups
from bertsmith.config.options import Options
from bertsmith.config.shared_options import MODEL, Precision


class ModelOptions(Options):
    """A MODEL, and the source of its inputs."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("model", "texts", "input"),
    }

    model: str = Field(description=MODEL)
    input: Path | None = Field(None, description="file of inputs, one per line; every line gets an answer")


class TextsOptions(ModelOptions):
    """A MODEL and texts."""

    positional: ClassVar[tuple[str, ...]] = ("model", "texts")

    texts: tuple[str, ...] = Field((), description="texts (default: the lines of --input or of standard input)")

    @field_validator("texts", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class PredictOptions(TextsOptions):
    """A MODEL, texts, and how the MODEL computes."""

    precision: Precision = "fp32"

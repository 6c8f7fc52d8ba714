"""Options of `evaluate`: MODEL and DATA to figures."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from bertsmith.config.labelled import LabelledOptions
from bertsmith.config.options import SEEDS
from bertsmith.config.tasks import lengths_in_words


class EvaluateOptions(LabelledOptions):
    """Evaluate a language model on a STORE or a text, or a head on a labelled file."""

    positional: ClassVar[tuple[str, ...]] = ("model", "data")

    model: str = Field(description="the MODEL")
    data: str = Field(
        description="a STORE or a text for a language model, a labelled file (or hf:NAME, its test part) for a head"
    )
    predictions: Path | None = Field(
        None, description="write a head's predictions here, for score: JSON lines, CoNLL columns, or JSON of id to text"
    )
    report: Path | None = Field(
        None, description="write a page with pictures and tables of the figures here, an .html file"
    )
    slice: str | None = Field(
        None, description="the column of a labelled file by whose values a head's main figure is told apart"
    )
    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] | None = Field(
        None, description="over what the model's configuration says"
    )
    sequence_length: int | None = Field(
        None, ge=8, description="tokens an example (default: as in pre-training, or 128)"
    )
    max_length: int | None = Field(
        None, ge=8, description=f"tokens a row of a labelled file (default: {lengths_in_words()})"
    )
    batch_size: int = Field(64, gt=0, description="examples at once")
    seed: int = Field(0, ge=0, lt=SEEDS, description="chooses the frozen masks and pairs; 0 is what a RUN reports")
    precision: Literal["auto", "bf16", "fp32"] = Field("fp32", description="number format of the matrix products")

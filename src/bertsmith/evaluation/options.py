"""Options of `evaluate` and `compare`: a MODEL, or two, and DATA to figures."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from bertsmith.config.options import SEEDS
from bertsmith.tasks.files.options import LabelledOptions
from bertsmith.tasks.predict_options import MaxLength


class HeadMeasureOptions(LabelledOptions):
    """How a head answers a labelled file."""

    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] | None = Field(
        None, description="over what the model's configuration says"
    )
    max_length: MaxLength = None
    batch_size: int = Field(64, gt=0, description="examples at once")
    precision: Literal["auto", "bf16", "fp32"] = Field("fp32", description="number format of the matrix products")


class EvaluateOptions(HeadMeasureOptions):
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
    details: bool = Field(
        False,
        description="of a language model also: masked predictions by frequency, piece and place, how well lengths "
        "alone tell next sentences, and how alike sentence vectors are",
    )
    pseudo_perplexity: bool = Field(
        False,
        description="of a language model also: the loss with every token masked alone, one pass of the model each",
    )
    max_sentences: int = Field(
        100, gt=0, description="so many sentences for the pseudo-perplexity, at random, the same each time"
    )
    sequence_length: int | None = Field(
        None, ge=8, description="tokens an example (default: as in pre-training, or 128)"
    )
    seed: int = Field(
        0, ge=0, lt=SEEDS, description="chooses the frozen masks, pairs and sentences; 0 is what a RUN reports"
    )


class CompareOptions(HeadMeasureOptions):
    """Compare the heads of two models on the same labelled file."""

    positional: ClassVar[tuple[str, ...]] = ("model_a", "model_b", "data")

    model_a: str = Field(description="the MODEL that is compared with")
    model_b: str = Field(description="the MODEL whose difference from it is measured")
    data: str = Field(description="a labelled file (or hf:NAME, its test part)")

"""Options of `evaluate` and `compare`: one or two MODELs and DATA to figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from bertsmith.config import help_groups
from bertsmith.config.options import SEED_LIMIT
from bertsmith.config.shared_options import MODEL, MaxLength, Precision
from bertsmith.tasks.files.options import LabelledOptions


class HeadMeasureOptions(LabelledOptions):
    """How to measure a head on a labelled file."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {help_groups.MACHINE: ("precision",)}

    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] | None = Field(
        None,
        description="labels of a text: one, several or none, or a number (sequence-classification; default: as in the "
        "MODEL's config.json)",
    )
    max_length: MaxLength = None
    batch_size: int = Field(
        64,
        gt=0,
        description="batch size: N x --max-length tokens, padding included; for a language model N examples",
    )
    precision: Precision = "fp32"


class EvaluateOptions(HeadMeasureOptions):
    """Evaluate a language model on a STORE or a text, or a head on a labelled file."""

    positional: ClassVar[tuple[str, ...]] = ("model", "data")

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("model", "data", "predictions", "report"),
        help_groups.BATCHES: ("batch_size", "max_length"),
        help_groups.LANGUAGE_MODELS: ("details", "pseudo_perplexity", "max_sentences", "sequence_length", "seed"),
    }

    model: str = Field(description=MODEL)
    data: str = Field(
        description="data to measure on: STORE or text for a language model, labelled file or hf:NAME (its test split) "
        "for a head"
    )
    predictions: Path | None = Field(
        None,
        description="write a head's predictions to this file, for `score`: JSON lines, CoNLL columns, or JSON of id to "
        "text",
    )
    report: Path | None = Field(None, description="write charts and tables of the results to this .html file")
    slice: str | None = Field(None, description="split the main metric of a head by the values of this column")
    details: bool = Field(
        False,
        description="also measure predictions by token frequency, word piece and position; next sentences by length "
        "only; and the similarity of sentence vectors",
    )
    pseudo_perplexity: bool = Field(
        False,
        description="also measure the loss with only one token masked at a time (one model pass per token)",
    )
    max_sentences: int = Field(
        100, gt=0, description="measure N random sentences, the same every time (needs --pseudo-perplexity)"
    )
    sequence_length: int | None = Field(
        None, ge=8, description="tokens per example, special tokens included (default: as in pre-training, else 128)"
    )
    seed: int = Field(
        0, ge=0, lt=SEED_LIMIT, description="random seed of the fixed masks, pairs and sentences; a RUN reports seed 0"
    )


class CompareOptions(HeadMeasureOptions):
    """Compare the heads of two MODELs on the same labelled file."""

    positional: ClassVar[tuple[str, ...]] = ("model_a", "model_b", "data")

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("model_a", "model_b", "data"),
        help_groups.BATCHES: ("batch_size", "max_length"),
    }

    model_a: str = Field(description="first MODEL: RUN, model folder or hub name")
    model_b: str = Field(description="second MODEL; differences are MODEL_B minus MODEL_A")
    data: str = Field(description="labelled file to compare on, or hf:NAME (its test split)")

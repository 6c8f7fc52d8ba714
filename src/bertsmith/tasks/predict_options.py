"""Options of the verbs that predict: one text or many in, one JSON object a text out."""

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

    precision: Literal["auto", "bf16", "fp32"] = Field("fp32", description="number format of the matrix products")


class TokenizeOptions(TextsOptions):
    """Show the three tensors of a text: ids, types, mask."""


class FillMaskOptions(PredictOptions):
    """Fill each [MASK] of a text."""

    top_k: int = Field(5, gt=0, description="so many predictions a mask")


class NextSentenceOptions(ModelOptions):
    """Judge whether B is the sentence after A."""

    positional: ClassVar[tuple[str, ...]] = ("model", "a", "b")

    a: str | None = Field(None, description="the first sentence")
    b: str | None = Field(None, description="the second; with --input, lines of A, a tab, B")
    precision: Literal["auto", "bf16", "fp32"] = Field("fp32", description="number format of the matrix products")


class EmbedOptions(PredictOptions):
    """One vector a text."""

    pooling: Literal["mean", "cls", "max"] | None = Field(
        None,
        description="how the tokens' vectors become one (default: as the folder of a sentence encoder says, else mean)",
    )
    layer: int = Field(-1, description="the layer they are taken from: 0 the embeddings, -1 the last")


class ClassifyOptions(PredictOptions):
    """The label of a text, or of a pair of texts."""

    pair: str | None = Field(
        None, description="the second text of a pair; in lines it follows a tab, for models of pairs"
    )
    max_length: MaxLength = None


class ChooseOptions(ModelOptions):
    """Which of several texts goes with a prompt."""

    positional: ClassVar[tuple[str, ...]] = ("model",)
    repeated: ClassVar[tuple[str, ...]] = ("choice",)

    prompt: str | None = Field(None, description="the prompt, or the question")
    choice: tuple[str, ...] = Field((), description="a text to choose from; given once for each, at least twice")
    input: Path | None = Field(None, description="read the inputs from this file, JSON lines with prompt and choices")
    max_length: MaxLength = None
    precision: Literal["auto", "bf16", "fp32"] = Field("fp32", description="number format of the matrix products")


class AnswerOptions(ModelOptions):
    """The answer to a question in a context."""

    positional: ClassVar[tuple[str, ...]] = ("model",)

    question: str | None = Field(
        None, description="the question (default: JSON lines with question and context, from --input or standard input)"
    )
    context: str | None = Field(None, description="the text that the answer is looked for in")
    top_k: int = Field(1, gt=0, le=20, description="with more than 1, so many candidates beside the answer")
    no_answer_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="a question whose probability of no answer is above this is left unanswered (default: as the MODEL "
        "says, else 1: every question is answered)",
    )
    max_length: MaxLength = None
    precision: Literal["auto", "bf16", "fp32"] = Field("fp32", description="number format of the matrix products")


class TagOptions(PredictOptions):
    """The entities of a text, or the label of each word."""

    max_length: MaxLength = None

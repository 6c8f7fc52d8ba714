"""What a Predictor answers: typed, and `to_dict()` is the JSON of the verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertsmith.config.verb import Result


@dataclass(frozen=True)
class Tokenized(Result):
    """The three tensors of a text, and its pieces."""

    text: str
    tokens: list[str]
    input_ids: list[int]
    token_type_ids: list[int]
    attention_mask: list[int]
    mask_token_id: int


@dataclass(frozen=True)
class TokenPrediction(Result):
    """One candidate for a [MASK]; `text` is the whole text with it."""

    token: str
    id: int
    probability: float
    text: str


@dataclass(frozen=True)
class MaskPrediction(Result):
    """The candidates for one [MASK], the most probable first; `position` counts tokens, [CLS] being 0."""

    position: int
    predictions: list[TokenPrediction]


@dataclass(frozen=True)
class FilledMasks(Result):
    """A text with its masks filled, each by itself; no masks if the text has no token.

    `warnings` say why not to rely on them, if there is a reason.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = ("warnings",)

    text: str
    masks: list[MaskPrediction]
    warnings: list[str] | None = None


@dataclass(frozen=True)
class NextSentence(Result):
    """Whether B is the sentence after A. `logits` are those of the model: index 0 is IsNext.

    All is None if A or B has no token. `warnings` say why not to rely on it, if there is a reason.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = ("warnings",)

    is_next_probability: float | None = None
    label: str | None = None
    logits: list[float] | None = None
    warnings: list[str] | None = None


@dataclass(frozen=True)
class Embedding(Result):
    """The vector of a text, None if it has no token; `truncated_tokens` were beyond the model's length."""

    text: str
    embedding: list[float] | None = None
    truncated_tokens: int = 0


@dataclass(frozen=True)
class Classification(Result):
    """The label of a text and the probability of each; for regression only `value`.

    `labels` is for models of several labels per text: those whose probability, each its own, is above 0.5; `label` is
    None then. A text without a token has no label: `label`, `probabilities` and `value` are None.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = ("labels",)
    text: str
    label: str | None = None
    probabilities: dict[str, float] | None = None
    value: float | None = None
    truncated_tokens: int = 0
    labels: list[str] | None = None


@dataclass(frozen=True)
class Choice(Result):
    """The choice that goes with a prompt, its index from 0, and the probability of each choice in their order.

    All three are None if the prompt or a choice has no token.
    """

    prompt: str
    choice: str | None = None
    index: int | None = None
    probabilities: list[float] | None = None
    truncated_tokens: int = 0


@dataclass(frozen=True)
class TaggedEntity(Result):
    """An entity, `text[start:end]`: `start` and `end` count characters; `score` is its words' mean probability."""

    label: str
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Tagging(Result):
    """The entities of a text, in order; none if it has no token."""

    text: str
    entities: list[TaggedEntity]


@dataclass(frozen=True)
class AnswerCandidate(Result):
    """A span that may be the answer, `context[start:end]`, with its probability among the 20 best spans."""

    answer: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Answer(Result):
    """The answer to a question, `context[start:end]`; the empty text where the question is left unanswered.

    `score` is the probability of the answer among the 20 best spans, of an unanswered question that of no answer.
    `no_answer_probability` compares no answer with the best span; it means something where the model was trained with
    questions that have none. `candidates` are the best spans, the best first, where more than one is asked for. A
    blank line in the place of a question has the answer None, without a span.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = ("candidates",)

    answer: str | None = None
    start: int | None = None
    end: int | None = None
    score: float | None = None
    no_answer_probability: float | None = None
    candidates: list[AnswerCandidate] | None = None

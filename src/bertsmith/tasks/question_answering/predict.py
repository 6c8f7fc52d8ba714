"""answer: the span of a context that answers a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, overload

from bertsmith.config.verb import Result
from bertsmith.errors import InputError
from bertsmith.tasks.question_answering.answers import CANDIDATES
from bertsmith.tasks.question_answering.encoding import encode_questions
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.text_checks import check_texts, warn_truncated

NAME = "question-answering"


@dataclass(frozen=True)
class AnswerCandidate(Result):
    """A span that may be the answer, `context[start:end]`, with its probability among the 20 best spans."""

    answer: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Answer(Result):
    """The answer to a question, `context[start:end]`; the empty text if the question is left unanswered.

    `score` is the probability of the answer among the 20 best spans, of an unanswered question that of no answer.
    `no_answer_probability` compares no answer with the best span; it means something if the model was trained with
    questions that have none. `candidates` are the best spans, the best first, if more than one is asked for. A
    blank line in the place of a question has the answer None, without a span.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ("candidates",)

    answer: str | None = None
    start: int | None = None
    end: int | None = None
    score: float | None = None
    no_answer_probability: float | None = None
    candidates: list[AnswerCandidate] | None = None


@overload
def answer(
    runner: Runner,
    question: str,
    context: str,
    *,
    top_k: int = 1,
    no_answer_threshold: float | None = None,
    max_length: int | None = None,
) -> Answer: ...
@overload
def answer(
    runner: Runner,
    question: list[str],
    context: list[str],
    *,
    top_k: int = 1,
    no_answer_threshold: float | None = None,
    max_length: int | None = None,
) -> list[Answer]: ...
def answer(
    runner: Runner,
    question: str | list[str],
    context: str | list[str],
    *,
    top_k: int = 1,
    no_answer_threshold: float | None = None,
    max_length: int | None = None,
) -> Answer | list[Answer]:
    """The span of a context that answers a question; lists: a context for each question.

    A long context is read in overlapping windows of `max_length` tokens, by default the length that the model was
    fine-tuned with, or 384 if it does not say one. With `top_k` above 1 the answer has candidates. A question whose
    probability of no answer is above the threshold is left unanswered: the option's, else the model's, else every
    question is answered.

    Raises InputError for an empty question or context, ModelError without a question-answering head.
    """
    if not 1 <= top_k <= CANDIDATES:
        raise InputError(f"top_k: found {top_k}, expected 1 to {CANDIDATES}")
    questions = [question] if isinstance(question, str) else list(question)
    contexts = [context] if isinstance(context, str) else list(context)
    _check(questions, contexts)
    head = runner.task(NAME)
    if not questions:
        return []
    threshold = head.threshold if no_answer_threshold is None else no_answer_threshold
    length = runner.row_length(NAME, max_length)
    inputs = encode_questions(runner.tokenizer, questions, contexts, length)
    warn_truncated(inputs, length, "questions")
    outputs = runner.head_outputs(head, inputs)
    answers = []
    for number, text in enumerate(contexts):
        found = [AnswerCandidate(text[at:to], at, to, share) for at, to, share in outputs.candidates(number)]
        nothing = float(outputs.no_answer[number])
        best = found[0] if found and nothing <= threshold else AnswerCandidate("", 0, 0, nothing)
        candidates = found[:top_k] if top_k > 1 else None
        answers.append(Answer(best.answer, best.start, best.end, best.score, nothing, candidates))
    return answers[0] if isinstance(question, str) else answers


def _check(questions: Sequence[str], contexts: Sequence[str]) -> None:
    if len(questions) != len(contexts):
        raise InputError(f"answer: {len(questions)} questions and {len(contexts)} contexts, expected one for each")
    check_texts("answer", questions, "question")
    check_texts("answer", contexts, "context")
    for number, pair in enumerate(zip(questions, contexts, strict=True), start=1):
        for name, text in zip(("question", "context"), pair, strict=True):
            if not text.strip():
                raise InputError(f"answer: {name} {number} is empty")

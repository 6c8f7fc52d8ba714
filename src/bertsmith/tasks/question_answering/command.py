"""bertsmith answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field

from bertsmith.config.verb import Result
from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import read_input_lines, warn_of_blank_lines
from bertsmith.tasks.files.text_file import json_object
from bertsmith.tasks.predict_options import MaxLength, ModelOptions, Precision
from bertsmith.tasks.runner import Runner

Question = tuple[str, str] | None
"""A question and its context; None for a blank line."""


class AnswerOptions(ModelOptions):
    """Answer a question from a context."""

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
    precision: Precision = "fp32"


def _read(options: AnswerOptions, verb: str) -> list[Question]:
    if (options.question is None) != (options.context is None):
        raise OptionError(f'{verb}: expected both texts. Try: bertsmith {verb} MODEL --question "..." --context "..."')
    if options.question is not None and options.context is not None:
        if options.input is not None:
            raise OptionError(f"{verb}: found a question as an option and --input, expected one of the two")
        return [(options.question, options.context)]
    lines = read_input_lines(options.input, verb)
    return [_question(where, line) if line.strip() else None for where, line in lines]


def _question(where: str, line: str) -> Question:
    record = json_object(where, line)
    return _text(where, record, "question"), _text(where, record, "context")


def _text(where: str, record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        found = kind(value) if name in record else "nothing"
        raise DataError(f"{where}: {name!r}: found {found}, expected text")
    if not value.strip():
        raise DataError(f"{where}: {name!r}: the text is empty")
    return value


def _predict(model: Runner, options: AnswerOptions, lines: list[Question]) -> Iterable[Result]:
    from bertsmith.tasks.question_answering.predict import PredictedAnswer, answer

    questions = [line for line in lines if line is not None]
    answers = iter(
        answer(
            model,
            [question for question, _ in questions],
            [context for _, context in questions],
            top_k=options.top_k,
            no_answer_threshold=options.no_answer_threshold,
            max_length=options.max_length,
        )
    )
    warn_of_blank_lines(lines.count(None), len(lines))
    for line in lines:
        yield next(answers) if line is not None else PredictedAnswer(candidates=[] if options.top_k > 1 else None)


def _show(result: Any) -> str:
    if result.answer is None:
        return "blank line: no answer"
    nothing = percent(result.no_answer_probability)
    best_answer = f"{result.answer}   ({percent(result.score)}, no answer {nothing})" if result.answer else None
    lines = [best_answer or f"no answer   ({nothing})"]
    lines += [
        f"  {percent(candidate.score):>6}  {candidate.answer}   ({candidate.start} to {candidate.end})"
        for candidate in result.candidates or []
    ]
    return "\n".join(lines)


COMMAND = TaskCommand(
    "answer",
    "Find the answer to a question in a context, with its position; long contexts are read in windows.",
    AnswerOptions,
    _read,
    _predict,
    _show,
    'bertsmith answer runs/answers --question "Who sold the bread?" --context "The baker sold bread by the river."',
    arguments=lambda config: '--question "A question?" --context "A text."',
)

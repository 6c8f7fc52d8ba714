"""bertsmith answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from bertsmith.config import help_groups
from bertsmith.config.shared_options import MaxLength, Precision
from bertsmith.config.verb import Result
from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import read_input_lines, warn_of_blank_lines
from bertsmith.tasks.files.text_file import json_object
from bertsmith.tasks.predict_options import ModelOptions
from bertsmith.tasks.runner import Runner

QuestionWithContext = tuple[str, str] | None
"""None for a blank line."""


class AnswerOptions(ModelOptions):
    """Answer a question from a context."""

    positional: ClassVar[tuple[str, ...]] = ("model",)
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("model", "question", "context", "input")
    }

    question: str | None = Field(
        None,
        description="question (without it and --context: JSON lines with both, from --input or standard input)",
    )
    context: str | None = Field(None, description="text to find the answer in")
    top_k: int = Field(1, gt=0, le=20, description="candidates to list per question (1: only the answer)")
    no_answer_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="leave a question unanswered if its probability of no answer is higher, from 0 to 1 (default: as "
        "in the MODEL, else 1: never)",
    )
    max_length: MaxLength = None
    precision: Precision = "fp32"


def _read(options: AnswerOptions, verb: str) -> list[QuestionWithContext]:
    if (options.question is None) != (options.context is None):
        raise OptionError(
            f"{verb}: found one of --question and --context, expected both. Try: "
            f'bertsmith {verb} MODEL --question "..." --context "..."'
        )
    if options.question is not None and options.context is not None:
        if options.input is not None:
            raise OptionError(f"{verb}: found a question as an option and --input, expected one of the two")
        return [(options.question, options.context)]
    lines = read_input_lines(options.input, verb)
    return [_question(where, line) if line.strip() else None for where, line in lines]


def _question(where: str, line: str) -> tuple[str, str]:
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


def _predict(model: Runner, options: AnswerOptions, lines: list[QuestionWithContext]) -> Iterable[Result]:
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
    answer = f"{result.answer}   ({percent(result.score)}, no answer {nothing})" if result.answer else None
    lines = [answer or f"no answer   ({nothing})"]
    lines += [
        f"  {percent(candidate.score):>6}  {candidate.answer}   ({candidate.start} to {candidate.end})"
        for candidate in result.candidates or []
    ]
    return "\n".join(lines)


COMMAND = TaskCommand(
    "answer",
    "Answer a question from a context, with the position of the answer; long contexts are read in windows.",
    AnswerOptions,
    _read,
    _predict,
    _show,
    'bertsmith answer runs/answers --question "Who sold the bread?" --context "The baker sold bread by the river."',
    arguments=lambda config: '--question "A question?" --context "A text."',
)

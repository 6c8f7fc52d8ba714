"""bertsmith answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import lines_of
from bertsmith.config.predict import AnswerOptions
from bertsmith.errors import DataError, OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.text_file import json_object, kind


def _run(options: AnswerOptions) -> Iterable[Answer]:
    if (options.question is None) != (options.context is None):
        raise OptionError('answer: give both texts: bertsmith answer MODEL --question "..." --context "..."')
    if options.question is not None and options.context is not None:
        if options.input is not None:
            raise OptionError("answer: a question is given as an option and with --input; give one of them")
        questions, contexts = [options.question], [options.context]
    else:
        records = [(where, json_object(where, line)) for where, line in lines_of(options.input, "answer")]
        questions = [_text(where, record, "question") for where, record in records]
        contexts = [_text(where, record, "context") for where, record in records]
    from bertsmith.verbs.predict import load

    model = load(options.model, precision=options.precision)
    yield from model.answer(questions, contexts, top_k=options.top_k, no_answer_threshold=options.no_answer_threshold)


def _text(where: str, record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        found = kind(value) if name in record else "nothing"
        raise DataError(f"{where}: {name!r}: found {found}, expected a text")
    if not value.strip():
        raise DataError(f"{where}: {name!r}: the text is empty")
    return value


def _show(result: Any) -> str:
    said = result.answer or "no answer"
    lines = [f"{said}   ({percent(result.score)}, no answer {percent(result.no_answer_probability)})"]
    lines += [
        f"  {percent(candidate.score):>6}  {candidate.answer}   ({candidate.start} to {candidate.end})"
        for candidate in result.candidates or []
    ]
    return "\n".join(lines)


COMMAND = Command(
    "answer",
    "The answer to a question in a context, with its characters; long contexts are read in windows.",
    AnswerOptions,
    _run,
    _show,
    'bertsmith answer runs/answers --question "Who sold the bread?" --context "The baker sold bread by the river."',
)

"""bertsmith answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import lines_of, warn_of_blank_lines
from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.files.text_file import json_object
from bertsmith.tasks.predict_options import AnswerOptions


def _run(options: AnswerOptions) -> Iterable[Answer]:
    if (options.question is None) != (options.context is None):
        raise OptionError('answer: give both texts: bertsmith answer MODEL --question "..." --context "..."')
    if options.question is not None and options.context is not None:
        if options.input is not None:
            raise OptionError("answer: a question is given as an option and with --input; give one of them")
        asked: list[tuple[str, str] | None] = [(options.question, options.context)]
    else:
        lines = lines_of(options.input, "answer")
        asked = [_asked(where, line) if line.strip() else None for where, line in lines]
    from bertsmith.inference.results import Answer as Answered
    from bertsmith.verbs.predict import load

    model = load(options.model, precision=options.precision)
    pairs = [pair for pair in asked if pair is not None]
    answers = iter(
        model.answer(
            [question for question, _ in pairs],
            [context for _, context in pairs],
            top_k=options.top_k,
            no_answer_threshold=options.no_answer_threshold,
            max_length=options.max_length,
        )
    )
    warn_of_blank_lines(asked.count(None), len(asked))
    for pair in asked:
        yield next(answers) if pair is not None else Answered(candidates=[] if options.top_k > 1 else None)


def _asked(where: str, line: str) -> tuple[str, str]:
    record = json_object(where, line)
    return _text(where, record, "question"), _text(where, record, "context")


def _text(where: str, record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        found = kind(value) if name in record else "nothing"
        raise DataError(f"{where}: {name!r}: found {found}, expected a text")
    if not value.strip():
        raise DataError(f"{where}: {name!r}: the text is empty")
    return value


def _show(result: Any) -> str:
    if result.answer is None:
        return "blank line: no answer"
    nothing = percent(result.no_answer_probability)
    said = f"{result.answer}   ({percent(result.score)}, no answer {nothing})" if result.answer else None
    lines = [said or f"no answer   ({nothing})"]
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

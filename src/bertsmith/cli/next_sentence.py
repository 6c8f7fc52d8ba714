"""bertsmith next-sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import lines_of
from bertsmith.config.predict import NextSentenceOptions
from bertsmith.errors import DataError, OptionError
from bertsmith.reporting.numbers import percent


def _run(options: NextSentenceOptions) -> Iterable[Answer]:
    if (options.a is None) != (options.b is None):
        raise OptionError('next-sentence: give both sentences: bertsmith next-sentence MODEL "A." "B."')
    if options.a is not None and options.b is not None:
        pairs = [(options.a, options.b)]
        if options.input is not None:
            raise OptionError("next-sentence: sentences are given as arguments and with --input; give one of them")
    else:
        pairs = [_pair(where, line) for where, line in lines_of(options.input, "next-sentence")]
    from bertsmith.verbs.predict import load

    model = load(options.model, precision=options.precision)
    for a, b in pairs:
        yield model.next_sentence(a, b)


def _pair(where: str, line: str) -> tuple[str, str]:
    a, tab, b = line.partition("\t")
    if not tab or not a.strip() or not b.strip():
        raise DataError(f"{where}: found {line[:60]!r}, expected A, a tab, B")
    return a, b


def _show(result: Any) -> str:
    return f"{result.label}   probability of IsNext {percent(result.is_next_probability)}"


COMMAND = Command(
    "next-sentence",
    "Whether B is the sentence after A: label, probability, logits (index 0 stands for IsNext).",
    NextSentenceOptions,
    _run,
    _show,
    'bertsmith next-sentence runs/books "He opened the door." "The room was dark."',
)

"""bertsmith next-sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import lines_of, pair_of, warn_of_blank_lines
from bertsmith.errors import OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.predict_options import NextSentenceOptions


def _run(options: NextSentenceOptions) -> Iterable[Answer]:
    if (options.a is None) != (options.b is None):
        raise OptionError('next-sentence: give both sentences: bertsmith next-sentence MODEL "A." "B."')
    if options.a is not None and options.b is not None:
        pairs = [(options.a, options.b)]
        if options.input is not None:
            raise OptionError("next-sentence: sentences are given as arguments and with --input; give one of them")
    else:
        pairs = [pair_of(where, line) for where, line in lines_of(options.input, "next-sentence")]
        warn_of_blank_lines(pairs.count(("", "")), len(pairs))
    from bertsmith.inference.results import NextSentence
    from bertsmith.verbs.predict import load

    model = load(options.model, precision=options.precision)
    for a, b in pairs:
        yield model.next_sentence(a, b) if a or b else NextSentence()


def _show(result: Any) -> str:
    if result.label is None:
        return "no label: A or B has no token"
    return f"{result.label}   probability of IsNext {percent(result.is_next_probability)}"


COMMAND = Command(
    "next-sentence",
    "Whether B is the sentence after A: label, probability, logits (index 0 stands for IsNext).",
    NextSentenceOptions,
    _run,
    _show,
    'bertsmith next-sentence runs/books "He opened the door." "The room was dark."',
)

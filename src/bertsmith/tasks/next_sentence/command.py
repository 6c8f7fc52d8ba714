"""bertsmith next-sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from bertsmith.config import help_groups
from bertsmith.config.shared_options import Precision
from bertsmith.config.verb import Result
from bertsmith.errors import OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import parse_sentence_pair, read_input_lines, warn_of_blank_lines
from bertsmith.tasks.predict_options import ModelOptions
from bertsmith.tasks.runner import Runner

Pair = tuple[str, str]


class NextSentenceOptions(ModelOptions):
    """Predict whether B is the sentence after A."""

    positional: ClassVar[tuple[str, ...]] = ("model", "a", "b")
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {help_groups.INPUT_OUTPUT: ("model", "a", "b", "input")}

    a: str | None = Field(None, description="first sentence")
    b: str | None = Field(
        None, description="second sentence (without A and B: lines of A, a tab, B from --input or standard input)"
    )
    precision: Precision = "fp32"


def _read(options: NextSentenceOptions, verb: str) -> list[Pair]:
    if (options.a is None) != (options.b is None):
        raise OptionError(f'{verb}: found one sentence, expected two. Try: bertsmith {verb} MODEL "A." "B."')
    if options.a is not None and options.b is not None:
        if options.input is not None:
            raise OptionError(f"{verb}: found sentences as arguments and --input, expected one of the two")
        return [(options.a, options.b)]
    pairs = [parse_sentence_pair(where, line) for where, line in read_input_lines(options.input, verb)]
    warn_of_blank_lines(pairs.count(("", "")), len(pairs))
    return pairs


def _predict(model: Runner, options: NextSentenceOptions, pairs: list[Pair]) -> Iterable[Result]:
    from bertsmith.tasks.next_sentence.predict import NextSentence, next_sentence

    for a, b in pairs:
        yield next_sentence(model, a, b) if a or b else NextSentence()


def _show(result: Any) -> str:
    if result.label is None:
        return "no label: A or B has no token"
    return f"{result.label}   probability of IsNext {percent(result.is_next_probability)}"


COMMAND = TaskCommand(
    "next-sentence",
    "Predict whether B is the sentence after A: label, probability, logits (index 0 is IsNext).",
    NextSentenceOptions,
    _read,
    _predict,
    _show,
    'bertsmith next-sentence runs/books "He opened the door." "The room was dark."',
)

"""bertsmith classify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from bertsmith.config import help_groups
from bertsmith.config.shared_options import MaxLength
from bertsmith.config.verb import Result
from bertsmith.errors import OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.command import A_TEXT, TaskCommand
from bertsmith.tasks.files.inputs import parse_sentence_pair, read_input_texts
from bertsmith.tasks.files.reference import TEXT_COLUMNS_KEY
from bertsmith.tasks.predict_options import PredictOptions
from bertsmith.tasks.runner import Runner


class ClassifyOptions(PredictOptions):
    """Predict the label of a text, or of a pair of texts."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {help_groups.INPUT_OUTPUT: ("model", "texts", "pair", "input")}

    pair: str | None = Field(None, description="second text, for MODELs of pairs; in lines of input it follows a tab")
    max_length: MaxLength = None


def _read(options: ClassifyOptions, verb: str) -> list[str]:
    texts = read_input_texts(options, verb)
    if options.pair is not None and len(texts) > 1:
        raise OptionError(f"{verb}: found --pair with {len(texts)} texts, expected one text")
    return texts


def _predict(model: Runner, options: ClassifyOptions, texts: list[str]) -> Iterable[Result]:
    from bertsmith.tasks.sequence_classification.predict import classify, text_columns

    pairs = None if options.pair is None else [options.pair]
    if pairs is None and not options.texts and len(text_columns(model) or ()) == 2:
        name = "standard input" if options.input is None else options.input
        both = [parse_sentence_pair(f"{name}: line {number}", line) for number, line in enumerate(texts, start=1)]
        texts, pairs = [a for a, _ in both], [b for _, b in both]
    return classify(model, texts, pairs, max_length=options.max_length)


def _show(result: Any) -> str:
    if result.probabilities is None and result.value is None:
        return f"{result.text}\n  no label (no token)"
    if result.probabilities is None:
        return f"{result.value:.4f}   {result.text}"
    ranked = sorted(result.probabilities.items(), key=lambda item: -item[1])[:5]
    lines = [] if result.labels is None else [f"labels: {', '.join(result.labels) or 'none'}"]
    return "\n".join([result.text, *lines, *(f"  {percent(probability):>6}  {label}" for label, probability in ranked)])


def _arguments(config: Mapping[str, Any]) -> str:
    return f'{A_TEXT} --pair "A second text."' if len(config.get(TEXT_COLUMNS_KEY, ())) > 1 else A_TEXT


COMMAND = TaskCommand(
    "classify",
    "Predict the label of a text, or of a pair of texts, with the probability of each label.",
    ClassifyOptions,
    _read,
    _predict,
    _show,
    'bertsmith classify runs/reviews "A film to remember."',
    _arguments,
)

"""classify: the label of a text or of a pair, several labels, or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, overload

from bertsmith.config.verb import Result
from bertsmith.errors import InputError
from bertsmith.tasks.encoded_texts import encode_texts
from bertsmith.tasks.files.reference import configured_text_columns
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL
from bertsmith.tasks.text_checks import check_texts, indices_with_tokens, warn_truncated

NAME = "sequence-classification"


@dataclass(frozen=True)
class Classification(Result):
    """The label of a text and the probability of every label; for regression only `value`.

    For multi-label models, `labels` has the labels whose independent probability is above 0.5, and `label` is None. A
    text without a token has no label: `label`, `probabilities` and `value` are None.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ("labels",)
    text: str
    label: str | None = None
    probabilities: dict[str, float] | None = None
    value: float | None = None
    truncated_tokens: int = 0
    labels: list[str] | None = None


@overload
def classify(
    runner: Runner, text: str, pair: str | None = None, *, max_length: int | None = None
) -> Classification: ...
@overload
def classify(
    runner: Runner, text: list[str], pair: list[str] | None = None, *, max_length: int | None = None
) -> list[Classification]: ...
def classify(
    runner: Runner, text: str | list[str], pair: str | list[str] | None = None, *, max_length: int | None = None
) -> Classification | list[Classification]:
    """Return the label of a text, or of a pair of texts (`labels` for multi-label models).

    Texts are truncated to `max_length` tokens, by default the length that the model was fine-tuned with. A text without
    a token has no label; neither has a pair whose first text has no token.

    Raises ModelError if the model has no classification head, InputError for pairs if the model was fine-tuned on
    single texts, and the reverse.
    """
    texts = [text] if isinstance(text, str) else list(text)
    pairs = [pair] if isinstance(pair, str) else list(pair) if pair is not None else None
    if pairs is not None and len(pairs) != len(texts):
        raise InputError(
            f"classify: found {len(texts)} texts and {len(pairs)} second texts, expected one second text per text"
        )
    check_texts("classify", texts)
    check_texts("classify", pairs or (), "second text")
    if not texts:
        return []
    head = runner.task(NAME)
    _check_pairs(runner, pairs is not None)
    length = runner.row_length(NAME, max_length)
    none: list[str] | None = [] if head.problem_type == MULTI_LABEL else None
    answers = [Classification(given, labels=none) for given in texts]
    # A second text may be empty, as in labelled files.
    places = indices_with_tokens(runner.tokenizer, [(given,) for given in texts], "text", empty_answer="no label")
    if places:
        second = None if pairs is None else [pairs[place] for place in places]
        encoded = encode_texts(runner.tokenizer, [texts[place] for place in places], second, length)
        warn_truncated(encoded, length)
        decoded = head.answers(runner.head_outputs(head, encoded))
        for place, item, cut in zip(places, decoded, encoded.truncated_tokens, strict=True):
            answers[place] = Classification(texts[place], truncated_tokens=cut, **item)
    return answers[0] if isinstance(text, str) else answers


def text_columns(runner: Runner) -> tuple[str, ...] | None:
    """Return the columns that the model was fine-tuned on, one or two; None if its configuration does not say."""
    known = configured_text_columns(runner.config, runner.name)
    return None if known is None else tuple(name for name in (known.text, known.pair) if name is not None)


def _check_pairs(runner: Runner, pairs: bool) -> None:
    """Raise InputError for pairs if the model was fine-tuned on single texts, and the reverse."""
    columns = text_columns(runner)
    if columns is None or pairs == (len(columns) == 2):
        return
    if pairs:
        raise InputError(
            f"classify: found a pair of texts, expected a single text, as {runner.name} was fine-tuned on single texts "
            f"(column {columns[0]!r}). Try: leave the second text out"
        )
    first, second = columns
    raise InputError(
        f"classify: found a single text, expected a pair, as {runner.name} was fine-tuned on pairs (columns {first!r} "
        f"and {second!r}, in this order). Try: --pair with the second text, or tab-separated lines with --input"
    )

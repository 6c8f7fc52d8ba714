"""fill-mask: the most probable tokens for each [MASK] of a text, each mask by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, overload

import numpy as np
import numpy.typing as npt

from bertsmith.config.verb import Result
from bertsmith.errors import InputError, shortened
from bertsmith.metrics.probabilities import softmax
from bertsmith.tasks.encoded_texts import encode
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.text_checks import check_input_lengths, check_texts, indices_with_tokens

GROUP = 16
"""Logits of which the highest is looked at first."""


@dataclass(frozen=True)
class TokenPrediction(Result):
    """One candidate for a [MASK]; `text` is the whole text with it."""

    token: str
    id: int
    probability: float
    text: str


@dataclass(frozen=True)
class MaskPrediction(Result):
    """The candidates for one [MASK], the most probable first; `position` counts tokens, [CLS] being 0."""

    position: int
    predictions: list[TokenPrediction]


@dataclass(frozen=True)
class FilledMasks(Result):
    """A text with its masks filled, each by itself; no masks if the text has no token.

    `warnings` say why not to rely on them, if there is a reason.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ("warnings",)

    text: str
    masks: list[MaskPrediction]
    warnings: list[str] | None = None


@overload
def fill_mask(runner: Runner, text: str, top_k: int = 5) -> FilledMasks: ...
@overload
def fill_mask(runner: Runner, text: list[str], top_k: int = 5) -> list[FilledMasks]: ...
def fill_mask(runner: Runner, text: str | list[str], top_k: int = 5) -> FilledMasks | list[FilledMasks]:
    """The `top_k` most probable tokens for each [MASK], each mask by itself.

    A text without a token has no masks. Raises InputError for a text without [MASK] or beyond the model's length,
    ModelError without a trained MLM head.
    """
    if top_k < 1:
        raise InputError(f"top_k: found {top_k}, expected at least 1")
    texts = [text] if isinstance(text, str) else list(text)
    check_texts("fill-mask", texts)
    tokenizer, mask = runner.tokenizer, int(runner.tokenizer.mask_token_id)
    places = indices_with_tokens(tokenizer, [(given,) for given in texts], "text", lacking="no answer")
    encoded = encode(tokenizer, [texts[place] for place in places], None, runner.max_length)
    check_input_lengths(encoded, "fill-mask", runner.max_length)
    for place, ids in zip(places, encoded.input_ids, strict=True):
        if mask not in ids:
            raise InputError(f"fill-mask: no {tokenizer.mask_token} in the text {shortened(texts[place])!r}")
    top_k, warnings = min(top_k, int(runner.config.vocab_size)), runner.doubts("mlm")
    answers = [FilledMasks(given, [], warnings) for given in texts]
    if places:
        for numbers, logits in runner.forward("fill-mask")(encoded, mask_token_id=mask):
            of_masks = iter(logits)
            for number in numbers:
                ids = encoded.input_ids[number]
                positions = [position for position, token in enumerate(ids) if token == mask]
                masks = [
                    _filled(runner, ids, position, *_most_probable(next(of_masks), top_k)) for position in positions
                ]
                answers[places[number]].masks.extend(masks)
    return answers[0] if isinstance(text, str) else answers


def _most_probable(
    logits: npt.NDArray[np.float32], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """int64 and float32 of [count]: the tokens with the highest logits, and their probabilities.

    Tokens with equal logits, which are frequent in bfloat16, are in the order of their ids.
    """
    # At least `count` logits reach the `count`-th highest of the maxima of as many groups or more: looking among the
    # maxima is five times faster than among all logits.
    groups = len(logits) // max(min(len(logits) // count, GROUP), 1)
    maxima = logits[: len(logits) // groups * groups].reshape(-1, groups).max(0)
    least = np.partition(maxima, -count)[-count]
    tokens = np.flatnonzero(~(logits < least))  # also those of a broken model, which are not a number
    tokens = tokens[np.argsort(-logits[tokens], kind="stable")][:count]
    return tokens, softmax(logits)[tokens]


def _filled(
    runner: Runner,
    ids: list[int],
    position: int,
    tokens: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
) -> MaskPrediction:
    predictions = []
    for token, probability in zip(tokens.tolist(), probabilities.tolist(), strict=True):
        text = str(runner.tokenizer.decode([*ids[:position], token, *ids[position + 1 :]][1:-1]))
        name = str(runner.tokenizer.convert_ids_to_tokens(token))
        predictions.append(TokenPrediction(name, token, probability, text))
    return MaskPrediction(position, predictions)

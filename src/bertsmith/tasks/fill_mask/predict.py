"""fill-mask: the most probable tokens for each [MASK] of a text, independently for each mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, overload

import numpy as np
import numpy.typing as npt

from bertsmith.config.verb import Result
from bertsmith.errors import InputError, shortened
from bertsmith.metrics.probabilities import softmax
from bertsmith.tasks.encoded_texts import encode_texts
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.text_checks import check_input_lengths, check_texts, indices_with_tokens

GROUP = 16
"""Logits per group; the maximum of each group is compared first."""


@dataclass(frozen=True)
class TokenPrediction(Result):
    """A candidate for a [MASK]; `text` is the whole text with this token."""

    token: str
    id: int
    probability: float
    text: str


@dataclass(frozen=True)
class MaskPrediction(Result):
    """The candidates for a [MASK], most probable first; `position` counts tokens from [CLS], which is 0."""

    position: int
    predictions: list[TokenPrediction]


@dataclass(frozen=True)
class FilledMasks(Result):
    """The predictions for each mask of a text; no masks if the text has no token.

    `warnings` has reasons not to rely on the predictions, if any.
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
    """Return the `top_k` most probable tokens for each [MASK], independently for each mask.

    A text without a token has no masks. Raises InputError for a text without [MASK] or longer than the model allows,
    ModelError if the model has no trained MLM head.
    """
    if top_k < 1:
        raise InputError(f"top_k: found {top_k}, expected at least 1")
    texts = [text] if isinstance(text, str) else list(text)
    check_texts("fill-mask", texts)
    tokenizer, mask = runner.tokenizer, int(runner.tokenizer.mask_token_id)
    places = indices_with_tokens(tokenizer, [(given,) for given in texts], "text", empty_answer="no answer")
    encoded = encode_texts(tokenizer, [texts[place] for place in places], None, runner.max_length)
    check_input_lengths(encoded, "fill-mask", runner.max_length)
    for place, ids in zip(places, encoded.input_ids, strict=True):
        if mask not in ids:
            raise InputError(f"fill-mask: found no {tokenizer.mask_token} in the text {shortened(texts[place])!r}")
    top_k, warnings = min(top_k, int(runner.config.vocab_size)), runner.head_warnings("mlm")
    answers = [FilledMasks(given, [], warnings) for given in texts]
    if places:
        for numbers, logits in runner.forward("fill-mask")(encoded, mask_token_id=mask):
            mask_logits = iter(logits)
            for number in numbers:
                ids = encoded.input_ids[number]
                positions = [position for position, token in enumerate(ids) if token == mask]
                masks = [
                    _filled(runner, ids, position, *_most_probable(next(mask_logits), top_k)) for position in positions
                ]
                answers[places[number]].masks.extend(masks)
    return answers[0] if isinstance(text, str) else answers


def _most_probable(
    logits: npt.NDArray[np.float32], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the tokens with the highest logits, and their probabilities: int64 and float32 of [count].

    Tokens with equal logits, which are frequent in bfloat16, are ordered by id.
    """
    # At least `count` logits are as high as the `count`-th highest group maximum, so this maximum is a lower bound for
    # the result. Searching the group maxima is five times faster than searching all logits.
    groups = len(logits) // max(min(len(logits) // count, GROUP), 1)
    maxima = logits[: len(logits) // groups * groups].reshape(-1, groups).max(0)
    least = np.partition(maxima, -count)[-count]
    tokens = np.flatnonzero(~(logits < least))  # also selects NaN logits of a broken model
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

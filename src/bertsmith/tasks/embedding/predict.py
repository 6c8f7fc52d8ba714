"""embed: one vector per text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

from bertsmith.config.verb import Result
from bertsmith.models.sentence_encoder import sentence_encoder
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.encoded_texts import encode_texts
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.text_checks import check_texts, indices_with_tokens, warn_truncated

POOLINGS = ("mean", "cls", "max")


@dataclass(frozen=True)
class Embedding(Result):
    """The vector of a text, None if it has no token; `truncated_tokens` counts tokens beyond the model's length."""

    text: str
    embedding: list[float] | None = None
    truncated_tokens: int = 0


@overload
def embed(runner: Runner, text: str, pooling: str | None = None, layer: int = -1) -> Embedding: ...
@overload
def embed(runner: Runner, text: list[str], pooling: str | None = None, layer: int = -1) -> list[Embedding]: ...
def embed(
    runner: Runner, text: str | list[str], pooling: str | None = None, layer: int = -1
) -> Embedding | list[Embedding]:
    """Return one vector per text: the mean or maximum over its tokens (including [CLS] and [SEP]), or that of [CLS].

    The default `pooling` is that of a sentence encoder's folder (1_Pooling); for any other model, the mean. A text
    without a token has no vector.
    """
    if pooling is None:
        pooling = runner.get_or_create("pooling", lambda: _pooling(runner.name))
    texts = [text] if isinstance(text, str) else list(text)
    check_texts("embed", texts)
    places = indices_with_tokens(runner.tokenizer, [(given,) for given in texts], "text", empty_answer="no vector")
    encoded = encode_texts(runner.tokenizer, [texts[place] for place in places], None, runner.max_length)
    warn_truncated(encoded, runner.max_length)
    answers = [Embedding(given) for given in texts]
    for numbers, vectors in runner.forward("embedding")(encoded, layer=layer, pooling=pooling):
        for number, vector in zip(numbers, vectors.tolist(), strict=True):
            place = places[number]
            answers[place] = Embedding(texts[place], vector, encoded.truncated_tokens[number])
    return answers[0] if isinstance(text, str) else answers


def _pooling(name: str) -> str:
    """Return the pooling of a sentence encoder's folder; for any other model, the mean."""
    encoder = sentence_encoder(name)
    configured = None if encoder is None else encoder.pooling
    if configured is None or configured == POOLINGS[0]:
        return POOLINGS[0]
    if configured not in POOLINGS:
        warn(f"{name}: its pooling is {configured}, which embed does not support; the mean is used instead")
        return POOLINGS[0]
    log_info(f"pooling: {configured} (from the 1_Pooling of {name}; --pooling overrides it)")
    return configured

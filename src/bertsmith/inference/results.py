"""The result of `tokenize`. The result types of the task verbs are in the `predict.py` of each task's folder."""

from __future__ import annotations

from dataclasses import dataclass

from bertsmith.config.verb import Result


@dataclass(frozen=True)
class Tokenized(Result):
    """The tokens of a text and the three model inputs."""

    text: str
    tokens: list[str]
    input_ids: list[int]
    token_type_ids: list[int]
    attention_mask: list[int]
    mask_token_id: int

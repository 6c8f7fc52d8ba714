"""The result of `tokenize`. The results of a task's verb are in the `predict.py` of its folder."""

from __future__ import annotations

from dataclasses import dataclass

from bertsmith.config.verb import Result


@dataclass(frozen=True)
class Tokenized(Result):
    """The three tensors of a text, and its pieces."""

    text: str
    tokens: list[str]
    input_ids: list[int]
    token_type_ids: list[int]
    attention_mask: list[int]
    mask_token_id: int

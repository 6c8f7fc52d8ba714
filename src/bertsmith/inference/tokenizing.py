"""Tokenize a text as a model reads it. Needs only the tokenizer; torch is not imported."""

from __future__ import annotations

from bertsmith.inference.results import Tokenized
from bertsmith.tasks.values import Tokenizer


def tokenize_text(tokenizer: Tokenizer, text: str) -> Tokenized:
    """Return the tokens of a text and the three model inputs, as lists."""
    encoding = tokenizer(text, return_token_type_ids=True)
    ids = [int(number) for number in encoding["input_ids"]]
    return Tokenized(
        text,
        [str(tokenizer.convert_ids_to_tokens(number)) for number in ids],
        ids,
        [int(number) for number in encoding["token_type_ids"]],
        [int(number) for number in encoding["attention_mask"]],
        int(tokenizer.mask_token_id),
    )

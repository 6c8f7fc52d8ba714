"""A text as a model is given it; needs the tokenizer alone, so torch is not loaded for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertsmith.inference.results import Tokenized

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenize_text(tokenizer: PreTrainedTokenizerBase, text: str) -> Tokenized:
    """The pieces of a text and the three tensors that a model takes, as lists."""
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

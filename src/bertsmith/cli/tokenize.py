"""bertsmith tokenize."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.tasks.files.inputs import read_input_texts
from bertsmith.tasks.predict_options import TextsOptions


class TokenizeOptions(TextsOptions):
    """Return the three tensors of a text as lines: ids, types, mask."""


def _run(options: TokenizeOptions) -> Iterable[Answer]:
    texts = read_input_texts(options, "tokenize")
    from bertsmith.inference.tokenizing import tokenize_text
    from bertsmith.tokenization.folder import load_tokenizer

    tokenizer = load_tokenizer(options.model)
    for text in texts:
        yield tokenize_text(tokenizer, text)


def _show(result: Any) -> str:
    rows = zip(result.tokens, result.input_ids, result.token_type_ids, result.attention_mask, strict=True)
    width = max(map(len, (*result.tokens, "token")))
    lines = [f"{token:<{width}}  {number:>6}  {kind:>4}  {mask:>4}" for token, number, kind, mask in rows]
    return "\n".join(
        [f"{'token':<{width}}  {'id':>6}  type  mask", *lines, f"The id of [MASK] is {result.mask_token_id}.", ""]
    )


COMMAND = Command(
    "tokenize",
    "Show the input tensors of a text: tokens, input_ids, token_type_ids, attention_mask.",
    TokenizeOptions,
    _run,
    _show,
    'bertsmith tokenize runs/books "Hello, how are you?"',
)

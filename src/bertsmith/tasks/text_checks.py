"""Checks of prediction inputs that all tasks share: not a text, an empty text, a text that is too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bertsmith.config.valid_text import broken_text
from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import InputError
from bertsmith.reporting.numbers import counted, percent
from bertsmith.runtime.console import warn
from bertsmith.tasks.encoded_texts import EncodedTexts, find_empty_encodings
from bertsmith.tasks.values import Inputs


def check_texts(verb: str, texts: Sequence[object], what: str = "text") -> None:
    """Raise InputError for a value that is not a text or has half of a surrogate pair; numbers count from 1."""
    for number, text in enumerate(texts, start=1):
        where = f"{verb}: {what}" if len(texts) == 1 else f"{verb}: {what} {number}"
        if not isinstance(text, str):
            raise InputError(f"{where}: found {kind(text)}, expected text")
        if (broken := broken_text(text)) is not None:
            raise InputError(f"{where} contains {broken}, which is not a character. Try: remove it")


def indices_with_tokens(tokenizer: Any, inputs: Sequence[Sequence[str]], noun: str, *, empty_answer: str) -> list[int]:
    """Return the indices of the inputs whose texts all have a token; warn about the number of other inputs.

    `empty_answer` describes the answer to such an input.
    """
    found = iter(find_empty_encodings(tokenizer, [text for texts in inputs for text in texts]))
    empty = [sum(next(found) for _ in texts) > 0 for texts in inputs]
    count = sum(empty)
    if count:
        verbs = "is empty (no token) and gets" if count == 1 else "are empty (no token) and get"
        warn(f"{count} of {counted(len(inputs), noun)} {verbs} {empty_answer}")
    return [number for number, nothing in enumerate(empty) if not nothing]


def check_input_lengths(encoded: EncodedTexts, verb: str, max_length: int) -> None:
    """Raise InputError for the first text that is longer than the model allows."""
    for ids, lost in zip(encoded.input_ids, encoded.truncated_tokens, strict=True):
        if lost:
            raise InputError(
                f"{verb}: found a text of {len(ids) + lost} tokens, expected at most {max_length}, the limit "
                "of the model. Try: shorten it"
            )


def warn_truncated(inputs: Inputs, length: int, what: str = "texts") -> None:
    """Warn about the number and share of truncated texts."""
    lost: Sequence[int] = inputs.truncated_tokens
    cut = sum(tokens > 0 for tokens in lost)
    if not cut:
        return
    are, were, have = ("is", "was", "has") if cut == 1 else ("are", "were", "have")
    share, tokens = f"{cut:,} of {len(lost):,} {what} ({percent(cut / len(lost))})", f"({sum(lost):,} tokens in total)"
    if inputs.windowed_examples is None:
        warn(f"{share} {are} longer than {length} tokens and {were} cut {tokens}")
    else:  # in windows, only a question or a word can be too long
        warn(f"{share} {have} a question or a word that is too long for rows of {length} tokens and was cut {tokens}")

"""Checks of the inputs of predictions, shared by the tasks: no text, an empty text, a text that is too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bertsmith.config.valid_text import broken_text
from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import InputError
from bertsmith.reporting.numbers import counted, percent
from bertsmith.runtime.console import warn
from bertsmith.tasks.encoded_texts import Encoded, without_tokens
from bertsmith.tasks.values import Inputs


def check_texts(verb: str, texts: Sequence[object], what: str = "text") -> None:
    """Raises InputError for a value that is no text, or holds half of a surrogate pair; its number counts from 1."""
    for number, text in enumerate(texts, start=1):
        where = f"{verb}: {what}" if len(texts) == 1 else f"{verb}: {what} {number}"
        if not isinstance(text, str):
            raise InputError(f"{where}: found {kind(text)}, expected a text")
        if (broken := broken_text(text)) is not None:
            raise InputError(f"{where} holds {broken}, which is not a character. Try: remove it")


def indices_with_tokens(tokenizer: Any, inputs: Sequence[Sequence[str]], noun: str, *, lacking: str) -> list[int]:
    """The numbers of the inputs of which each text has a token; a warning counts the others."""
    found = iter(without_tokens(tokenizer, [text for texts in inputs for text in texts]))
    empty = [sum(next(found) for _ in texts) > 0 for texts in inputs]
    count = sum(empty)
    if count:
        verbs = "is empty (no token) and gets" if count == 1 else "are empty (no token) and get"
        warn(f"{count} of {counted(len(inputs), noun)} {verbs} {lacking}")
    return [number for number, nothing in enumerate(empty) if not nothing]


def check_input_lengths(encoded: Encoded, verb: str, max_length: int) -> None:
    """Raises InputError for the first text that the model does not take whole."""
    for ids, lost in zip(encoded.input_ids, encoded.truncated_tokens, strict=True):
        if lost:
            raise InputError(f"{verb}: the text has {len(ids) + lost} tokens, the model takes {max_length}; shorten it")


def warn_truncated(inputs: Inputs, length: int, what: str = "texts") -> None:
    """Print how many of the texts were cut, and their share."""
    lost: Sequence[int] = inputs.truncated_tokens
    cut = sum(tokens > 0 for tokens in lost)
    if not cut:
        return
    are, were, have = ("is", "was", "has") if cut == 1 else ("are", "were", "have")
    share, tokens = f"{cut:,} of {len(lost):,} {what} ({percent(cut / len(lost))})", f"({sum(lost):,} tokens in all)"
    if inputs.windowed is None:
        warn(f"{share} {are} longer than {length} tokens and {were} cut {tokens}")
    else:  # texts are read in windows: only a question or a word can be too long
        warn(f"{share} {have} a question or a word that is too long for rows of {length} tokens and was cut {tokens}")

"""Checks the texts that a Python caller passes: a mistake gives an InputError, not the tokenizer's TypeError."""

from __future__ import annotations

from collections.abc import Sequence

from bertsmith.config.valid_text import broken_text
from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import InputError


def check_texts(verb: str, texts: Sequence[object], what: str = "text") -> None:
    """Raises InputError for what is no text, or holds half of a surrogate pair; its number counts from 1."""
    for number, text in enumerate(texts, start=1):
        where = f"{verb}: {what}" if len(texts) == 1 else f"{verb}: {what} {number}"
        if not isinstance(text, str):
            raise InputError(f"{where}: found {kind(text)}, expected a text")
        if (broken := broken_text(text)) is not None:
            raise InputError(f"{where} holds {broken}, which is not a character. Try: remove it")

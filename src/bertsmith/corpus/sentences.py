"""Sentences of a document, by sentencex (rules by language code, no download)."""

from __future__ import annotations

import sentencex

from bertsmith.corpus.cleaning.language import can_identify
from bertsmith.corpus.document import Document
from bertsmith.errors import OptionError

MAX_CHARACTERS = 2_000
"""A longer run without a sentence end (a table, a list, minified text) is cut at white space: no segment of an
example could hold it, and the packing would throw most of it away."""


def check_language(language: str, *, identified: bool = False) -> None:
    """Raise OptionError where this is no language code, or one that cannot be identified though that is asked for."""
    if (
        not language.isascii()
        or not 2 <= len(language.replace("-", "")) <= 12
        or not language.replace("-", "").isalpha()
    ):
        raise OptionError(f"--language: found {language!r}, expected a language code such as en, de or zh")
    if identified and not can_identify(language):
        raise OptionError(
            f"--language {language}: texts in it cannot be told from others (py3langid does not know it); "
            "leave language out of --clean"
        )


def split_sentences(document: Document, language: str) -> list[list[str]]:
    """The sentences of each paragraph of a document, in order; no sentence and no paragraph is empty."""
    paragraphs = []
    for paragraph in document.paragraphs:
        parts = [paragraph] if document.lines_are_sentences else sentencex.segment(language, paragraph)
        sentences = [clean for part in parts if (clean := part.strip())]
        if len(paragraph) > MAX_CHARACTERS:
            sentences = [piece for sentence in sentences for piece in _bounded(sentence)]
        if sentences:
            paragraphs.append(sentences)
    return paragraphs


def _bounded(sentence: str) -> list[str]:
    pieces = []
    start = 0
    while len(sentence) - start > MAX_CHARACTERS:
        space = sentence.rfind(" ", start + 1, start + MAX_CHARACTERS)
        cut = space if space > 0 else start + MAX_CHARACTERS
        pieces.append(sentence[start:cut].strip())
        start = cut
        while sentence[start : start + 1].isspace():
            start += 1
    return [piece for piece in (*pieces, sentence[start:].strip()) if piece]

"""Run one document through all enabled steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bertsmith.corpus.cleaning.boilerplate import boilerplate_paragraphs
from bertsmith.corpus.cleaning.characters import repair_paragraphs
from bertsmith.corpus.cleaning.language import is_other_language
from bertsmith.corpus.cleaning.options import (
    BOILERPLATE,
    EMPTY,
    OTHER_LANGUAGE,
    REPETITIVE,
    SYMBOLS,
    TOO_SHORT,
    CleaningCounts,
    CleaningOptions,
    DroppedText,
)
from bertsmith.corpus.cleaning.repetition import is_repetitive
from bertsmith.corpus.cleaning.symbols import symbol_paragraphs
from bertsmith.corpus.document import Document
from bertsmith.tokenization.unspaced import count_words


def clean_document(
    document: Document, options: CleaningOptions, counts: CleaningCounts, *, dropped: list[DroppedText] | None = None
) -> Document | str:
    """Return the document with clean, non-empty paragraphs, or the reason why all of it is dropped.

    If every paragraph is dropped, the document's reason is the one that dropped the most characters; a document without
    text is `empty`. The counts go to `counts`, and dropped texts to `dropped` if it is a list. Cleaning twice gives the
    same result as cleaning once.
    """
    steps = options.steps
    paragraphs, data = repair_paragraphs(document.paragraphs, steps, counts)
    reasons = _paragraph_reasons(paragraphs, data, steps)
    if reasons:
        characters: Counter[str] = Counter()
        for index, reason in sorted(reasons.items()):
            counts.paragraphs_dropped[reason] += 1
            characters[reason] += len(paragraphs[index])
            if dropped is not None and reason != EMPTY:
                dropped.append(DroppedText(reason, paragraphs[index], index))
        counts.characters_dropped.update(characters)
        paragraphs = [paragraph for index, paragraph in enumerate(paragraphs) if index not in reasons]
        if not paragraphs:
            return characters.most_common(1)[0][0]
    elif not paragraphs:
        return EMPTY
    if reason_of_all := _document_reason(paragraphs, options):
        counts.paragraphs_dropped[reason_of_all] += len(paragraphs)
        counts.characters_dropped[reason_of_all] += sum(map(len, paragraphs))
        if dropped is not None:
            dropped.append(DroppedText(reason_of_all, "\n".join(paragraphs), None))
        return reason_of_all
    if paragraphs is document.paragraphs:
        return document
    return Document(document.id, tuple(paragraphs), document.lines_are_sentences)


def _paragraph_reasons(paragraphs: Sequence[str], data: bytes, steps: frozenset[str]) -> dict[int, str]:
    """Return the dropped paragraphs by index, with the first reason for each."""
    reasons: dict[int, str] = {}
    if not paragraphs:
        return reasons
    if "symbols" in steps:
        reasons.update(dict.fromkeys(symbol_paragraphs(paragraphs, data), SYMBOLS))
    if "boilerplate" in steps:
        reasons.update(dict.fromkeys(boilerplate_paragraphs(paragraphs), BOILERPLATE))
    if "" in paragraphs:
        reasons.update((index, EMPTY) for index, paragraph in enumerate(paragraphs) if not paragraph)
    return reasons


def _document_reason(paragraphs: Sequence[str], options: CleaningOptions) -> str | None:
    if "short" in options.steps and _has_fewer_words(paragraphs, options.min_words):
        return TOO_SHORT
    if "repetitive" in options.steps and is_repetitive(paragraphs):
        return REPETITIVE
    if "language" in options.steps and is_other_language(paragraphs, options.language):
        return OTHER_LANGUAGE
    return None


def _has_fewer_words(paragraphs: Sequence[str], words: int) -> bool:
    if paragraphs and count_words(paragraphs[0][: 16 * words]) >= words:
        return False
    for paragraph in paragraphs:
        words -= count_words(paragraph)
        if words <= 0:
            return False
    return words > 0

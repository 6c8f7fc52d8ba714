"""Cleaning: return each document with clean paragraphs, or drop it for a reason that is counted.

Each step is a small function with a name, switched by `--clean`. First come the steps that repair characters
(`characters.py`), then those that drop paragraphs (`boilerplate.py`, `symbols.py`), then those that drop whole
documents (`repetition.py`, `language.py`). Cleaning does not change the content: nothing is rewritten or lowercased,
quotes stay as they are, and in doubt a step leaves the text unchanged.
"""

from bertsmith.corpus.cleaning.cleaner import clean_document
from bertsmith.corpus.cleaning.language import identify_language
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

__all__ = [
    "BOILERPLATE",
    "EMPTY",
    "OTHER_LANGUAGE",
    "REPETITIVE",
    "SYMBOLS",
    "TOO_SHORT",
    "CleaningCounts",
    "CleaningOptions",
    "DroppedText",
    "clean_document",
    "identify_language",
]

"""Cleaning: each document leaves with clean paragraphs, or is dropped for a reason that is counted.

A step is a small function with a name, switched on or off by `--clean`. Steps that repair characters
(`characters.py`) come first, then those that drop paragraphs (`boilerplate.py`, `symbols.py`), then those that drop
whole documents (`repetition.py`, `language.py`). What a text says is its author's: nothing is rewritten, lower-cased
or straightened, and a step that is not sure leaves the text alone.
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

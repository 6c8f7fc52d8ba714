"""Sentences of a document, by sentencex (rules by language code, no download), and rules for what it does not know.

sentencex knows the final marks of most scripts (。 । ။ ؟ ። ...), whatever the language code. Those of Khmer and Tibetan
are added here. Thai and Lao have none: a space ends a clause or a sentence, so a long text is cut at some of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

from bertsmith.corpus.cleaning.language import can_identify
from bertsmith.corpus.document import Document
from bertsmith.errors import OptionError

MAX_CHARACTERS = 2_000
"""A longer run without a sentence end (a table, a list, minified text) is cut at white space: no segment of an
example could hold it, and the packing would throw most of it away."""

CLAUSE_CHARACTERS = 80
"""From this length a Thai or Lao sentence ends at the next space; those of UD Thai PUD have a mean of 98 characters."""

_MARKS = "\u17d4\u17d5\u0f0d-\u0f11\u0f14"
_MORE_ENDS = re.compile(f"[{_MARKS}](?:\\s*[{_MARKS}])*[\"'”’»)\\]]*")
"""The final marks of Khmer (។ ៕) and Tibetan (། ༎ ...), with those that repeat them and closing quotes."""
_CLAUSE_END = re.compile("(?<=[\u0e01-\u0eff]) (?=[\u0e01-\u0eff])")
"""A space between two letters of Thai or Lao; next to a number or a Latin word it ends nothing."""


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
        parts = [paragraph] if document.lines_are_sentences else _segmented(paragraph, language)
        sentences = [clean for part in parts if (clean := part.strip())]
        if len(paragraph) > MAX_CHARACTERS:
            sentences = [piece for sentence in sentences for piece in _bounded(sentence)]
        if sentences:
            paragraphs.append(sentences)
    return paragraphs


def _segmented(paragraph: str, language: str) -> Iterator[str]:
    for sentence in sentencex.segment(language, paragraph):
        start = 0
        if not sentence.isascii():
            for cut in sorted(_more_ends(sentence)):  # a sentence may mix scripts
                yield sentence[start:cut]
                start = cut
        yield sentence[start:]


def _more_ends(sentence: str) -> Iterator[int]:
    """Where a part of sentencex ends another sentence, by the marks and spaces that it does not know."""
    yield from (match.end() for match in _MORE_ENDS.finditer(sentence))
    start = 0
    for match in _CLAUSE_END.finditer(sentence):
        if match.start() - start >= CLAUSE_CHARACTERS:
            start = match.end()
            yield start


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

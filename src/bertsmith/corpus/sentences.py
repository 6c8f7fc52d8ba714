"""Sentences of a document: split by sentencex (rules per language code, no download), with a few extra rules.

sentencex knows the final marks of most scripts (。 । ။ ؟ ። ...) for any language code. The marks of Khmer and Tibetan
are added here. Thai and Lao have no final marks: a space ends a clause or a sentence, so long texts are cut at some of
the spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

from bertsmith.corpus.cleaning.language import can_identify
from bertsmith.corpus.document import Document
from bertsmith.errors import OptionError

MAX_CHARACTERS = 2_000
"""Longer runs without a sentence end (a table, a list, minified text) are cut at white space: no segment of a training
example could hold them, and packing would discard most of the run."""

CLAUSE_CHARACTERS = 80
"""Beyond this length, a Thai or Lao sentence ends at the next space. Sentences of UD Thai PUD average 98 characters."""

_MARKS = "\u17d4\u17d5\u0f0d-\u0f11\u0f14"
_MORE_ENDS = re.compile(f"[{_MARKS}](?:\\s*[{_MARKS}])*[\"'”’»)\\]]*")
"""Final marks of Khmer (។ ៕) and Tibetan (། ༎ ...), including repeated marks and closing quotes."""
_CLAUSE_END = re.compile("(?<=[\u0e01-\u0eff]) (?=[\u0e01-\u0eff])")
"""A space between two Thai or Lao letters. A space next to a number or a Latin word ends nothing."""


def check_language(language: str, *, identified: bool = False) -> None:
    """Raise OptionError for an invalid language code, or one that cannot be identified if `identified` is set."""
    if (
        not language.isascii()
        or not 2 <= len(language.replace("-", "")) <= 12
        or not language.replace("-", "").isalpha()
    ):
        raise OptionError(f"--language: found {language!r}, expected a language code such as en, de or zh")
    if identified and not can_identify(language):
        raise OptionError(
            f"--language {language}: py3langid cannot identify this language. Try: remove language from --clean"
        )


def split_sentences(document: Document, language: str) -> list[list[str]]:
    """Split each paragraph of a document into sentences, in order; no sentence or paragraph is empty."""
    paragraphs = []
    for paragraph in document.paragraphs:
        parts = [paragraph] if document.lines_are_sentences else _segmented(paragraph, language)
        sentences = [clean for part in parts if (clean := part.strip())]
        if len(paragraph) > MAX_CHARACTERS:
            sentences = [part for sentence in sentences for part in _bounded(sentence)]
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
    """Yield extra sentence ends within a sentence of sentencex, from marks and spaces that it does not know."""
    yield from (match.end() for match in _MORE_ENDS.finditer(sentence))
    start = 0
    for match in _CLAUSE_END.finditer(sentence):
        if match.start() - start >= CLAUSE_CHARACTERS:
            start = match.end()
            yield start


def _bounded(sentence: str) -> list[str]:
    parts = []
    start = 0
    while len(sentence) - start > MAX_CHARACTERS:
        space = sentence.rfind(" ", start + 1, start + MAX_CHARACTERS)
        cut = space if space > 0 else start + MAX_CHARACTERS
        parts.append(sentence[start:cut].strip())
        start = cut
        while sentence[start : start + 1].isspace():
            start += 1
    return [part for part in (*parts, sentence[start:].strip()) if part]

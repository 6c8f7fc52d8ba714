"""Identify the language of a text with py3langid; the model is loaded at the first use, without a download.

Lui and Baldwin 2012, langid.py: An Off-the-shelf Language Identification Tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

SAMPLE = 600
"""Characters read at each of three positions of a document."""
MIN_LETTERS = 60
"""Texts with fewer letters are not identified; an ideograph counts as four letters."""
MIN_PROBABILITY = 0.9


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # loads some MB, so only on demand

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def can_identify(language: str) -> bool:
    """Return whether py3langid knows the language, so that documents in others can be detected."""
    return _code(language) in _identifier().labels


def _code(language: str) -> str:
    return language.lower().replace("_", "-").split("-")[0]


def identify_language(text: str) -> str:
    """Return the most probable language of a text as an ISO 639-1 code; `und` for a text without letters."""
    return _most_probable(text)[0] if any(map(str.isalpha, text)) else "und"


def is_other_language(paragraphs: Sequence[str], language: str) -> bool:
    """Return whether a document is certainly in a different language; false for a text that is too short.

    Raises:
        ValueError: py3langid does not know the language.
    """
    expected = _code(language)
    if not can_identify(language):
        raise ValueError(
            f"py3langid does not know the language {language!r}, so documents in other languages cannot be detected. "
            "Try: --clean no-language"
        )
    sample = _sample("\n".join(paragraphs))
    if sum(1 if letter < "\u2e80" else 4 for letter in sample if letter.isalpha()) < MIN_LETTERS:
        return False
    found, probability = _most_probable(sample)
    return found != expected and probability >= MIN_PROBABILITY


def _sample(text: str) -> str:
    """Return the start, the middle and the end of a long text."""
    if len(text) <= 3 * SAMPLE:
        return text
    middle = (len(text) - SAMPLE) // 2
    return "\n".join((text[:SAMPLE], text[middle : middle + SAMPLE], text[-SAMPLE:]))


def _most_probable(text: str) -> tuple[str, float]:
    language, probability = _identifier().classify(text)
    return str(language), float(probability)

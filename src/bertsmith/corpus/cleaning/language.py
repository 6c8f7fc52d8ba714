"""Which language a text is in, by py3langid (Lui and Baldwin 2012, langid.py: An Off-the-shelf Language Identification
Tool), with no download; the model is loaded when the first text comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

SAMPLE = 600
"""Characters of each of the three places of a document that are looked at."""
MIN_LETTERS = 60
"""Of a text with fewer letters nothing is said; an ideograph counts as four, since it says as much."""
MIN_PROBABILITY = 0.9


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # the model is some MB: only where it is asked for

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def can_identify(language: str) -> bool:
    """Whether documents can be told to be in another language than this one."""
    return _code(language) in _identifier().labels


def _code(language: str) -> str:
    return language.lower().replace("_", "-").split("-")[0]


def identify_language(text: str) -> str:
    """The most probable language of a text, as an ISO 639-1 code; `und` for a text without letters."""
    return _most_probable(text)[0] if any(map(str.isalpha, text)) else "und"


def is_other_language(paragraphs: Sequence[str], language: str) -> bool:
    """Whether a document is surely in another language. A text too short to tell is not.

    Raises:
        ValueError: py3langid does not know the language.
    """
    wanted = _code(language)
    if not can_identify(language):
        raise ValueError(
            f"language {language!r} is none that py3langid knows, so no document can be told to be in another; "
            "switch the step off with no-language"
        )
    sample = _sample("\n".join(paragraphs))
    if sum(1 if letter < "\u2e80" else 4 for letter in sample if letter.isalpha()) < MIN_LETTERS:
        return False
    found, probability = _most_probable(sample)
    return found != wanted and probability >= MIN_PROBABILITY


def _sample(text: str) -> str:
    """The start, the middle and the end of a long text."""
    if len(text) <= 3 * SAMPLE:
        return text
    middle = (len(text) - SAMPLE) // 2
    return "\n".join((text[:SAMPLE], text[middle : middle + SAMPLE], text[-SAMPLE:]))


def _most_probable(text: str) -> tuple[str, float]:
    language, probability = _identifier().classify(text)
    return str(language), float(probability)

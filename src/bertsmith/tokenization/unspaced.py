"""Scripts written without spaces between words, and how their words are counted.

Chinese characters are words or halves of words, and BERT's tokenizers split them. The letters of the other scripts here
(Thai, Lao, Burmese, Khmer, Tibetan, Javanese, kana, ...) carry as little meaning as Latin ones, so several make a word.
"""

from __future__ import annotations

import re

IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
"""Characters that BERT reads as separate words, as a regular expression class."""
LETTERS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese, Shan, Mon, Karen
    "\u1780-\u17ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf"  # Tai Le, New Tai Lue, Tai Tham, Tai Viet
    "\u1b00-\u1b7f\ua980-\ua9df"  # Balinese, Javanese
    "\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f"  # kana, also half-width, and bopomofo
    "\ua000-\ua4cf"  # Yi
)
"""Letters and marks of the other scripts, as a regular expression class."""
LETTERS_OF_A_WORD = 4

_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_LETTER = re.compile(f"[{LETTERS}]")
_WORD_OF_LETTERS = re.compile(f"[{LETTERS}]{{{LETTERS_OF_A_WORD}}}")


def is_unspaced(text: str) -> bool:
    """Return whether a text has a letter of these scripts, ignoring ideographs."""
    return not text.isascii() and _LETTER.search(text) is not None


def count_words(text: str) -> int:
    """Count words between white space, plus one per ideograph, plus one per four letters of a script without spaces.

    With a vocabulary of the usual size there are almost never fewer tokens.
    """
    if text.isascii():
        return len(text.split())
    return len(_IDEOGRAPH.sub(" x ", text).split()) + len(_WORD_OF_LETTERS.findall(text))

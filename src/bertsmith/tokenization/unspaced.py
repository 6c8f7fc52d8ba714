"""Scripts that are written without spaces between words: what counts as a word of them.

Chinese characters are words or halves of words, and BERT's tokenizers part them. The letters of the other scripts here
(Thai, Lao, Burmese, Khmer, Tibetan, Javanese, kana, ...) say as little as Latin ones, so several make a word.
"""

from __future__ import annotations

import re

IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
"""The characters that BERT reads as separate words, as a class of a regular expression."""
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
"""The letters and marks of the other scripts, as a class of a regular expression."""
LETTERS_OF_A_WORD = 4

_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_LETTER = re.compile(f"[{LETTERS}]")
_WORD_OF_LETTERS = re.compile(f"[{LETTERS}]{{{LETTERS_OF_A_WORD}}}")


def is_unspaced(text: str) -> bool:
    """Whether there is a letter of these scripts in a text, ideographs aside."""
    return not text.isascii() and _LETTER.search(text) is not None


def count_words(text: str) -> int:
    """Words between white space, each ideograph one, and one more for each four letters of a script without spaces.

    With a vocabulary of the usual size there are hardly ever fewer tokens.
    """
    if text.isascii():
        return len(text.split())
    return len(_IDEOGRAPH.sub(" x ", text).split()) + len(_WORD_OF_LETTERS.findall(text))

r"""The step `symbols`: drop paragraphs of rules, asterisks and other signs.

Letters, digits and combining marks of all scripts count as text, so Chinese and Hindi are text. Half of code such as `x
= 3 + 4;` is text, so it stays. Signs at both ends are ignored if there is text between them: `"No."` and `"Oh!
Oh!----"` are speech, and occur a few dozen times in any shelf of novels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LETTER_LEADS = b"\xd0\xd1\xe5\xe6\xe7\xe8\xe9\xeb\xec"
"""First bytes of UTF-8 characters that are always letters: Cyrillic, most ideographs, most of Hangul."""
_NO_SIGN = b" " + _LETTERS + _LETTER_LEADS + bytes(range(0x80, 0xC0))
"""After removing these bytes, one byte is left for each sign and for some of the other letters."""
_SIGN = re.compile(r"[^\w ]|_")
_INSIDE = re.compile(r"[^\W_](?:.*[^\W_])?")


def symbol_paragraphs(paragraphs: Sequence[str], data: bytes) -> list[int]:
    r"""Return the indices of paragraphs in which less than half of the non-space characters are letters or digits.

    `data` is the paragraphs in UTF-8, joined by "\n".
    """
    rests = data.translate(None, _NO_SIGN).split(b"\n")
    return [
        index
        for index, (paragraph, rest) in enumerate(zip(paragraphs, rests, strict=True))
        if 4 * len(rest) > len(paragraph)
        and 2 * len(rest) > len(paragraph) - paragraph.count(" ")
        and is_mostly_symbols(paragraph)
    ]


def is_mostly_symbols(paragraph: str) -> bool:
    """Return whether a paragraph has no letter or digit, or more than half signs between the first and the last."""
    return _signs_prevail(paragraph) and (
        (inside := _INSIDE.search(paragraph)) is None or _signs_prevail(inside.group())
    )


def _signs_prevail(text: str) -> bool:
    signs = _SIGN.findall(text)
    half = (len(text) - text.count(" ")) / 2
    return len(signs) > half and sum(unicodedata.category(sign)[0] != "M" for sign in signs) > half

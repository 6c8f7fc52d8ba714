r"""The step `symbols`: paragraphs of rules, asterisks and other signs.

Letters, digits and combining marks of every script count as text, so Chinese and Hindi are text; code such as
`x = 3 + 4;` has half and stays. Signs at both ends do not count where there is text between them: `"No."` and
`"Oh! Oh!----"` are what somebody says, a few dozen in every shelf of novels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LETTER_LEADS = b"\xd0\xd1\xe5\xe6\xe7\xe8\xe9\xeb\xec"
"""First bytes of UTF-8 behind which all characters are letters: Cyrillic, most ideographs, most of Hangul."""
_NO_SIGN = b" " + _LETTERS + _LETTER_LEADS + bytes(range(0x80, 0xC0))
"""Without these bytes, what remains is one for each sign, and one for some of the other letters."""
_SIGN = re.compile(r"[^\w ]|_")
_INSIDE = re.compile(r"[^\W_](?:.*[^\W_])?")


def symbol_paragraphs(paragraphs: Sequence[str], data: bytes) -> list[int]:
    r"""The places of those in which fewer than half of the characters, spaces aside, are letters or digits.

    `data` is the paragraphs in UTF-8, joined by "\n".
    """
    rests = data.translate(None, _NO_SIGN).split(b"\n")
    return [
        place
        for place, (paragraph, rest) in enumerate(zip(paragraphs, rests, strict=True))
        if 4 * len(rest) > len(paragraph)
        and 2 * len(rest) > len(paragraph) - paragraph.count(" ")
        and is_mostly_symbols(paragraph)
    ]


def is_mostly_symbols(paragraph: str) -> bool:
    """Whether there is no letter and no digit, or more than half of what stands from the first to the last is signs."""
    return _signs_prevail(paragraph) and (
        (inside := _INSIDE.search(paragraph)) is None or _signs_prevail(inside.group())
    )


def _signs_prevail(text: str) -> bool:
    signs = _SIGN.findall(text)
    half = (len(text) - text.count(" ")) / 2
    return len(signs) > half and sum(unicodedata.category(sign)[0] != "M" for sign in signs) > half

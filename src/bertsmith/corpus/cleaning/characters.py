r"""Repair characters: wrongly decoded text, characters invalid in UTF-8, controls, Unicode form, white space.

A document is processed as one text, its paragraphs joined by "\n". `bytes.translate` removes all plain ASCII; the few
remaining characters show which repairs are needed. Usually none are, and all of cleaning costs about 10 ns per byte.
Repairs are `str.replace` calls over the whole document; only wrongly decoded paragraphs are handled one by one.

Wrongly decoded text is repaired by `ftfy.fix_encoding` (R. Speer, ftfy 6) and no other function of ftfy: curly quotes
and ligatures stay, and so do HTML entities, because `&lt;` in a text about HTML means itself. Its check for bad text
costs 0.36 s/MB. So it only sees paragraphs with a pair of characters that results from reading UTF-8 as Latin-1,
Windows-1252 or Windows-1250 (a lead byte, a continuation byte), or with a mark of four other encodings.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from operator import itemgetter, ne

import ftfy
import numpy as np

from bertsmith.corpus.cleaning.options import CleaningCounts

NOT_ENCODABLE = "not encodable"
WHITE_SPACE = "white space"

SPACES = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""All characters for which `str.isspace` is true."""

_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        *((0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F)),  # C0 and C1 without white space
        *((0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200B), (0x200E, 0x200F)),  # hyphen, break, order
        *((0x202A, 0x202E), (0x2060, 0x206F), (0xFFF9, 0xFFFB)),  # order, word joiner, shapes, ruby
        *((0xFDD0, 0xFDEF), (0xFFFE, 0xFFFF)),  # noncharacters
    )
    for code in range(first, last + 1)
)
r"""Characters that are not drawn and change no word. Joiners (U+200C, U+200D) stay, because Persian, Indic scripts and
emoji need them; so do variation selectors and the tags of flags."""
_NOT_ENCODABLE = frozenset(map(chr, range(0xD800, 0xE000))) | {"\ufeff"}
"""Lone surrogates, and the byte order mark, which is not a character of a text."""

_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"
_ASCII_TO_SPACE = bytes([0x20] * 0x80 + list(range(0x80, 0x100)))
_NFC_SAFE = re.compile("[\x80-\u02ff\u2010-\u205e\u3001-\u3029\u4e00-\u9fff\uff01-\uff9f]*")
"""Characters that NFC never changes (NFC_Quick_Check=Yes, combining class 0): Latin, most signs, Chinese."""

_CONTINUATION = (
    "\x80-\xbf\u0152\u0153\u015a\u015b\u0160\u0161\u0164\u0165\u0178-\u017a\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013-\u203a\u20ac\u2122"
)
_LEADS = "\x80-\x84\x86-\x9f\xc2-\xf4ĂĹв‚βā"
_WRONGLY_DECODED = re.compile(
    f"[{_LEADS}](?:"  # a leading character class makes the search ten times as fast as alternatives
    f"(?<=[\xc2-\xdfĂĹ])[{_CONTINUATION}]|(?<=[\xe0-\xf4])[{_CONTINUATION}]{{2}}"
    # A no-break space inside became a plain one (ftfy's ALTERED_UTF8_RE).
    f"|(?<=[\xc2\xc3\xc5\xce\xd0\xd9]) |(?<=[\xe2\xe3\xf0]) [{_CONTINUATION}]|(?<=[\xe0-\xe3\xf0])[{_CONTINUATION}] "
    "|(?<=[\x80-\x9f])"  # Windows-1252 read as Latin-1; alone, U+0085 is a line break
    # U+2000 to U+203F read as Windows-1251, Mac Roman, Windows-1253, Windows-1257
    "|(?<=в)Ђ|(?<=‚)Ä|(?<=[βā])€)"
)
_LEAD = re.compile(f"[{_LEADS}]")
_RUN = re.compile(
    f"[{_LEADS}](?:"
    f"(?<=[\xc2-\xdfĂĹ])[{_CONTINUATION}]|(?<=[\xe0-\xf4])[{_CONTINUATION}]{{2}}"
    f"|(?<=[\xc2\xc3\xc5\xce\xd0\xd9\xe2\xe3\xf0])\n|(?<=[\xe0-\xe3\xf0])[{_CONTINUATION}]\n"
    "|(?<=[\x80-\x9f])|(?<=в)Ђ|(?<=‚)Ä|(?<=[βā])€)"
)
"""The part of a match that is left after spaces and ASCII have become line breaks."""

_first, _last = itemgetter(0), itemgetter(-1)


def repair_paragraphs(
    paragraphs: Sequence[str], steps: frozenset[str], counts: CleaningCounts
) -> tuple[Sequence[str], bytes]:
    r"""Return the paragraphs, each one line of clean characters, and the same as UTF-8, joined by "\n".

    The number of paragraphs stays the same; some may become empty. If nothing changes, the same object is returned.
    """
    text = "\n".join(paragraphs)
    if not paragraphs:
        return paragraphs, b""
    lines = paragraphs
    if text.count("\n") != len(paragraphs) - 1:
        lines = [paragraph.replace("\n", "\x0b") for paragraph in paragraphs]
        text = "\n".join(lines)
    repair = _Repair(text, lines, counts)
    repair.once(steps)
    # A removed character may have been inside a wrongly decoded one, so repeat. Each repair shortens the text or
    # removes C1 controls, so this ends.
    while "unicode" in steps and repair.changed and not repair.text.isascii():
        repair.changed = False
        if _WRONGLY_DECODED.search(repair.text):
            repair.once(steps)
    return repair.lines, repair.data


class _Repair:
    """The text of a document during repair, and the counts of changes."""

    def __init__(self, text: str, lines: Sequence[str], counts: CleaningCounts) -> None:
        self.text = text
        self.lines = lines
        self.data = _encoded(text)
        self.counts = counts
        self.changed = False

    def once(self, steps: frozenset[str]) -> None:
        """Apply each enabled repair once, in order."""
        odd = _odd(self.data)
        if "unicode" in steps and _LEAD.search("".join(odd)) and _may_be_wrongly_decoded(self.data):
            self.change("unicode", _decoded(self.text))
            odd = _odd(self.data)
        if odd:
            self.change(NOT_ENCODABLE, _without(self.text, odd & _NOT_ENCODABLE))
            if "controls" in steps:
                self.change("controls", _without(self.text, odd & _INVISIBLE))
            if "unicode" in steps and not _is_composed(self.text, odd):
                self.change("unicode", unicodedata.normalize("NFC", self.text))
                odd = _odd(self.data)
        self.change(WHITE_SPACE, self.spaced(odd))

    def spaced(self, odd: set[str]) -> str:
        """Normalize white space: one space between words, none at the ends of lines."""
        text, lines = self.text, self.lines
        spaces = odd.intersection(SPACES)
        for space in spaces:
            text = text.replace(space, " ")
        if spaces or _has_double_space(self.data):
            while "  " in text:
                text = text.replace("  ", " ")
            lines = text.split("\n")
        # An empty line has no first character; stripping is cheap then.
        if "" in lines or " " in set(map(_first, lines)) or " " in set(map(_last, lines)):
            return "\n".join([line.strip(" ") for line in lines])
        return text

    def change(self, step: str, text: str) -> None:
        """Replace the text, and count the changed paragraphs and removed characters."""
        if text == self.text:
            return
        lines = text.split("\n")
        self.counts.paragraphs_repaired[step] += sum(map(ne, self.lines, lines))
        self.counts.characters_removed[step] += len(self.text) - len(text)
        self.text, self.lines, self.data, self.changed = text, lines, _encoded(text), True


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _odd(data: bytes) -> set[str]:
    """Return the characters of a text that are not plain ASCII."""
    rest = data.translate(None, _PLAIN)
    if len(rest) < 1 << 17:
        return set(rest.decode("utf-8", "surrogatepass"))
    # A table of all code points takes 2 ns per character, a set 25 ns.
    marks = np.zeros(sys.maxunicode + 1, np.bool_)
    characters = rest.decode("utf-8", "surrogatepass").encode("utf-32-le", "surrogatepass")
    marks[np.frombuffer(characters, np.uint32)] = True
    return set(map(chr, np.flatnonzero(marks).tolist()))


def _may_be_wrongly_decoded(data: bytes) -> bool:
    """Return whether `_WRONGLY_DECODED` can match in the runs of non-ASCII characters."""
    runs = set(data.translate(_ASCII_TO_SPACE).split())
    return bool(_RUN.search(b"\n".join([*runs, b""]).decode("utf-8", "surrogatepass")))


def _decoded(text: str) -> str:
    """Repair the wrongly decoded lines of a text."""
    parts: list[str] = []
    done = 0
    while match := _WRONGLY_DECODED.search(text, done):
        start = text.rfind("\n", 0, match.start()) + 1
        stop = text.find("\n", match.end())
        stop = stop if stop >= 0 else len(text)
        parts += (text[done:start], ftfy.fix_encoding(text[start:stop]).replace("\n", "\x0b"))
        done = stop
    return "".join((*parts, text[done:]))


def _without(text: str, characters: set[str]) -> str:
    for character in characters:
        text = text.replace(character, "")
    return text


def _is_composed(text: str, odd: set[str]) -> bool:
    """Return whether a text is in NFC; usually its non-ASCII characters decide."""
    if text.isascii():
        return True
    beyond_ascii = "".join([character for character in odd if character >= "\x80"])
    return bool(_NFC_SAFE.fullmatch(beyond_ascii)) or unicodedata.is_normalized("NFC", text)


def _has_double_space(data: bytes) -> bool:
    """Return `b"  " in data`, which takes 3 ns per byte; NumPy takes 0.3 ns, once its fixed cost is spread."""
    if len(data) < 1 << 14:
        return b"  " in data
    spaces = np.frombuffer(data, np.uint8) == 0x20
    return bool(np.any(spaces[1:] & spaces[:-1]))

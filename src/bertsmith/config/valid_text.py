r"""Text that UTF-8 cannot hold: halves of surrogate pairs.

JSON may hold one ("\ud83d"), and Python makes them of command-line bytes that are not UTF-8. No file, terminal or
tokenizer takes such a text, so it is refused where it comes in. Only the readers of a corpus keep it: their cleaning
replaces and counts it.
"""

from __future__ import annotations


def broken_text(text: str) -> str | None:
    r"""The first character that UTF-8 cannot hold, in words, such as `half of a surrogate pair (\ud83d)`; else None."""
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"half of a surrogate pair (\\u{ord(text[error.start]):04x})"
    return None


def broken_argument(text: str) -> str | None:
    """The same of a text from the command line, where Python hides each wrong byte in U+DC80 to U+DCFF."""
    found = broken_text(text)
    hidden = next((character for character in text if "\udc80" <= character <= "\udcff"), None)
    if found is None or hidden is None:
        return found
    return f"the byte 0x{ord(hidden) - 0xDC00:02x}, which is not UTF-8"

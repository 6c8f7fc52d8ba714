r"""Text that UTF-8 cannot encode: halves of surrogate pairs.

JSON may hold one ("\ud83d"), and Python represents command-line bytes that are not UTF-8 by them. No file, terminal or
tokenizer takes this text, so inputs with it are refused. Only a corpus may have it: cleaning replaces and counts it.
"""

from __future__ import annotations


def broken_text(text: str) -> str | None:
    r"""Describe the first character that UTF-8 cannot encode: `half of a surrogate pair (\ud83d)`; None without one."""
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"half of a surrogate pair (\\u{ord(text[error.start]):04x})"
    return None


def broken_argument(text: str) -> str | None:
    """Describe the first wrong byte of a command-line argument, which Python represents by U+DC80 to U+DCFF."""
    found = broken_text(text)
    hidden = next((character for character in text if "\udc80" <= character <= "\udcff"), None)
    if found is None or hidden is None:
        return found
    return f"the byte 0x{ord(hidden) - 0xDC00:02x}, which is not UTF-8"

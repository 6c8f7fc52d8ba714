"""Lists that a table holds as text: as Python (pandas), JSON or NumPy print them."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

_BRACKETS = {("[", "]"), ("(", ")"), ("{", "}")}
_CALL = re.compile(r"(?:array|list|set|frozenset|dict_values)\([\[({]")
"""How Python prints lists of other types, such as `array(['a'], dtype=object)`."""
_BYTES = re.compile(r"""b(?:'.*'|".*")""", re.DOTALL)
_VECTOR = re.compile(r"[01](?:\.0*)?(?:(?:\s*[,;|]\s*|\s+)[01](?:\.0*)?)+")
_ZERO_OR_ONE = re.compile(r"(?:[01](?:\.0*)?|true|false)", re.IGNORECASE)
_NUMBERS = re.compile(r"\[\s*-?[0-9.]+(?:\s+-?[0-9.]+)*\s*\]")


class UnreadableListError(ValueError):
    """A text looks like a list and cannot be read as one for certain."""


def list_in_text(text: str) -> tuple[str, ...] | None:
    """The items of the list that a field holds as text; None for any other text.

    Texts in round brackets or braces are lists only if all of their items are quoted: `(1, 2]` and `(a)` are names.
    Raises UnreadableListError for what looks like a list and is none, or holds more than names and numbers.
    """
    stripped = text.strip()
    if stripped == "set()":
        return ()
    if _CALL.match(stripped):
        raise UnreadableListError
    if len(stripped) < 2 or (stripped[0], stripped[-1]) not in _BRACKETS:
        return None
    items = value_in_text(stripped)
    if items is None:
        if stripped[0] == "[" and re.search("[,'\"]", stripped):
            raise UnreadableListError
        return None
    if isinstance(items, dict):
        raise UnreadableListError
    if stripped[0] != "[" and not all(isinstance(item, str) for item in items):
        return None
    if any(item is None or isinstance(item, (list, tuple, dict, set, bytes, complex)) for item in items):
        raise UnreadableListError
    found = tuple(item if isinstance(item, str) else json.dumps(item) for item in items)
    return tuple(sorted(found)) if isinstance(items, set) else found


def value_in_text(text: str) -> Any:
    """The value of a text that is JSON, or a list, tuple, set or dict as Python or NumPy prints it; else None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if _NUMBERS.fullmatch(text):  # NumPy's print of numbers
        return [float(part) if "." in part else int(part) for part in text[1:-1].split()]
    try:
        tokens = [
            token
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER)
        ]
        between = [second for first, second in pairwise(tokens) if first.type == second.type == tokenize.STRING]
        if between:  # two quoted texts without a comma: NumPy's print, which Python would read as one text
            inner = tokens[1:-1]
            if text[0] != "[" or any(token.type != tokenize.STRING for token in inner):
                return None
            return [ast.literal_eval(token.string) for token in inner]
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, (list, tuple, set, dict)) else None


def is_vector(items: tuple[str, ...]) -> bool:
    """Whether a list holds nothing but 0 and 1 (or truth values), at least two of them."""
    return len(items) > 1 and all(_ZERO_OR_ONE.fullmatch(item.strip()) for item in items)


def vector_in_text(text: str) -> tuple[str, ...] | None:
    """The numbers of a field such as `0 1 0` or `0,1,0`; None for any other text."""
    stripped = text.strip()
    return tuple(re.split(r"\s*[,;|]\s*|\s+", stripped)) if _VECTOR.fullmatch(stripped) else None


def are_printed_bytes(texts: Iterable[str]) -> bool:
    """Whether every text is Python's print of bytes, `b'a fine film'`: it was written by `str()`."""
    return all(_BYTES.fullmatch(text.strip()) for text in texts)

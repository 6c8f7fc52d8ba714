"""Lists that a table has as text, printed by Python (pandas), JSON or NumPy."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from bertsmith.tasks.files.text_file import finite

_BRACKETS = {("[", "]"), ("(", ")"), ("{", "}")}
_CALL = re.compile(r"[A-Za-z_][\w.]*\(\[.*\)|(?:set|frozenset|list|tuple)\([({].*\)", re.DOTALL)
"""How Python prints lists of other types, such as `array(['a'], dtype=object)` and `tensor([1., 0.])`."""
_QUOTED_LIST = re.compile(r"""(['"])\[.*\]\1""", re.DOTALL)
_VECTOR = re.compile(r"[01](?:\.0*)?(?:(?:\s*[,;|]\s*|\s+)[01](?:\.0*)?)+")
_ZERO_OR_ONE = re.compile(r"(?:[01](?:\.0*)?|true|false)", re.IGNORECASE)
_ITEM = r"(?:True|False|[-+]?(?:[0-9]{1,300}\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]{1,3})?)"
_ARRAY = re.compile(rf"\[\s*{_ITEM}(?:\s+{_ITEM})*\s*\]")
"""How NumPy prints numbers and booleans: without commas."""


class UnreadableListError(ValueError):
    """A text looks like a list but cannot be parsed unambiguously."""


def list_in_text(text: str) -> tuple[str, ...] | None:
    """Return the items of a list that a field has as text; None for any other text.

    Texts in parentheses or braces are lists only if all items are quoted: `(1, 2]` and `(a)` are names. Raises
    UnreadableListError for a text that looks like a list but is malformed, or has items other than names and numbers.
    """
    stripped = text.strip()
    if stripped == "set()":
        return ()
    if _CALL.fullmatch(stripped) or _QUOTED_LIST.fullmatch(stripped):
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
    if not all(isinstance(item, str) or (isinstance(item, (int, float)) and finite(item)) for item in items):
        raise UnreadableListError
    found = tuple(item if isinstance(item, str) else json.dumps(item) for item in items)
    return tuple(sorted(found)) if isinstance(items, set) else found


def value_in_text(text: str) -> Any:
    """Return the value of JSON, or of a list, tuple, set or dict printed by Python or NumPy; else None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in texts
            found = _printed_by_python(text)
    except (ValueError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, (list, tuple, set, dict)) else None


def _printed_by_python(text: str) -> Any:
    if _ARRAY.fullmatch(text):
        return [ast.literal_eval(part) for part in text[1:-1].split()]
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER)
    ]
    if not any(first.type == second.type == tokenize.STRING for first, second in pairwise(tokens)):
        return ast.literal_eval(text)
    # Two strings without a comma between them: printed by NumPy. Python would join them.
    inner = tokens[1:-1]
    if text[0] != "[" or any(token.type != tokenize.STRING for token in inner):
        return None
    return [ast.literal_eval(token.string) for token in inner]


def is_vector(items: tuple[str, ...]) -> bool:
    """Return whether a list has at least two items, all 0, 1 or booleans."""
    return len(items) > 1 and all(_ZERO_OR_ONE.fullmatch(item.strip()) for item in items)


def vector_in_text(text: str) -> tuple[str, ...] | None:
    """Return the numbers of a field such as `0 1 0` or `0,1,0`; None for any other text."""
    stripped = text.strip()
    return tuple(re.split(r"\s*[,;|]\s*|\s+", stripped)) if _VECTOR.fullmatch(stripped) else None


def are_printed_lists(texts: Sequence[str]) -> bool:
    """Return whether there are at least two texts and each is a printed list of strings."""
    return len(texts) > 1 and all(_is_printed_list(text.strip()) for text in texts)


def _is_printed_list(text: str) -> bool:
    if not text.startswith(("['", '["')):
        return False
    found = value_in_text(text)
    return isinstance(found, list) and all(isinstance(item, str) for item in found)

"""The field separator of a table, as an option: one character, or `tab`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

SEPARATOR = "field separator of CSV and TSV: one character, or the word tab (default: detected in the first rows)"


def _one_character(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = "\t" if value.lower() in ("tab", "\\t") else value
    if len(found) != 1 or found.isalnum() or found in "\"'\r\n\0":
        raise ValueError(
            f"found {value!r}, expected one character other than a letter, digit or quote, or the word tab"
        )
    return found


Separator = Annotated[str, BeforeValidator(_one_character)]

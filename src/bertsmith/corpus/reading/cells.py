"""Text cells of tables and JSON records, with the same rule for a corpus and for labelled files.

A cell is text if it is a string, or bytes in UTF-8 (older Spark, Impala and Druid write Parquet strings as bytes).
Everything else is refused with its position: otherwise the printed form of a list, an object or True would silently be
trained on as text, and a number usually means that the wrong column was chosen.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bertsmith.errors import DataError, shortened

_BYTES = re.compile(r"""b(?:'.*'|".*")""", re.DOTALL)
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "text"),
    (bool, "true or false"),
    ((int, float, Decimal), "a number"),
    ((list, tuple), "a list"),
    (dict, "an object"),
    (bytes, "bytes"),
    ((datetime.date, datetime.time), "a date or time"),
)


@dataclass(frozen=True, repr=False)
class RepeatedName:
    """The value of a column or key whose name occurs several times, so that it is ambiguous."""

    positions: tuple[int, ...]

    def __repr__(self) -> str:
        positions = [str(position) for position in self.positions]
        return f"this name {len(positions)} times (positions {', '.join(positions[:-1])} and {positions[-1]})"


def kind(value: Any) -> str:
    """Describe the type of a value of JSON, Parquet or a dataset in words."""
    if value is None:
        return "null"
    if isinstance(value, RepeatedName):
        return str(value)
    if isinstance(value, float) and value != value:
        return "NaN"
    return next((words for types, words in _KINDS if isinstance(value, types)), f"a {type(value).__name__}")


def text_of_cell(value: object, where: str, *, advice: str = "") -> str:
    """Return the cell as text. Raises DataError with `where`, what was found, and the advice."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{where}: found bytes that are not UTF-8 (byte {error.start} is 0x{value[error.start]:02x}), expected "
                f"text{advice}"
            ) from None
    if isinstance(value, RepeatedName):
        raise DataError(f"{where}: found {value}, expected it once. Try: rename or remove the others")
    raise DataError(f"{where}: found {kind(value)}, expected text{advice}")


def is_printed_bytes(text: str) -> bool:
    """Return whether a text is the printed form of Python bytes (`b'a fine film'`), as `str()` writes it."""
    return _BYTES.fullmatch(text.strip()) is not None


def printed_bytes_error(where: str, text: str) -> DataError:
    """Return the error for a column in which every text is printed bytes."""
    return DataError(
        f"{where}: found {shortened(text)} (printed Python bytes), expected text. Try: decode the column before "
        "writing it (in pandas: column.str.decode('utf-8'))"
    )


def repeated_names(names: Sequence[str]) -> dict[str, RepeatedName]:
    """Return the names that occur several times in a header, with the positions of their columns, from 1."""
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(names, start=1):
        positions.setdefault(name, []).append(position)
    return {name: RepeatedName(tuple(found)) for name, found in positions.items() if len(found) > 1}


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """`object_pairs_hook` for `json.loads`: repeated keys get `RepeatedName` as their value, not the last value."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else found | repeated_names([key for key, _ in pairs])


def describe_json_error(error: json.JSONDecodeError) -> str:
    """Return the mistake and its column; some messages of Python already end in "at"."""
    return f"{error.msg.removesuffix(' at')} at column {error.colno}"

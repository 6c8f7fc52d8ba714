"""The text of a file that a user names, and the JSON in it, with every mistake in plain words."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from bertsmith.config.valid_text import broken_text
from bertsmith.corpus.reading.cells import kind, unique_keys
from bertsmith.corpus.reading.decoding import decided_encoding, refuse_binary
from bertsmith.corpus.reading.options import ReadingNotes
from bertsmith.corpus.reading.sources import COMPRESSIONS, SourceFile
from bertsmith.corpus.reading.unpacking import opened, unpacked
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import log_info

_MAY_BE_BROKEN = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape of JSON that is half of a surrogate pair, or one of its two halves."""


def existing_file(path: Path, what: str) -> None:
    """Raises DataError where the path is not that of a file; `what` is what was expected there."""
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.is_dir():
        raise DataError(f"{path}: is a folder, expected {what}")


def ending(path: Path) -> str:
    """The ending of a file's name, in small letters, without that of a compression behind it."""
    packed = path.suffix.lower() in COMPRESSIONS
    return (path.with_suffix("") if packed else path).suffix.lower()


def _content(path: Path) -> bytes:
    """The bytes of a file, unpacked where its ending says that it is packed (.gz, .zst, .xz)."""
    compression = path.suffix.lower()
    if compression not in COMPRESSIONS:
        return path.read_bytes()
    file = SourceFile(path.name, str(path), ending(path), compression)
    with opened(file) as packed:
        return b"".join(unpacked(file, packed, ReadingNotes()))


def decoded(path: Path, encoding: str, *, advice: str = "give --encoding, windows-1252 is common") -> str:
    """The text of a file, unpacked, without a byte order mark; a mark decides the encoding, which is printed.

    Raises DataError where it is empty or binary, or, with the advice, where it is of another encoding.
    """
    raw = _content(path)
    if not raw:
        raise DataError(f"{path}: the file is empty")
    try:
        encoding, why = decided_encoding(raw, encoding)
        if why is not None:
            log_info(f"{path}: {why}")
            advice = "is the file cut off or damaged?"
        refuse_binary(str(path), raw, encoding)
        text: str = raw.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise OptionError(f"--encoding: found {encoding!r}, expected one that Python knows") from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].decode(encoding, "replace").count("\n") + 1
        raise DataError(
            f"{path}: line {line}, byte {error.start} (0x{raw[error.start]:02x}) is not {encoding}; {advice}"
        ) from None
    if (broken := broken_text(text)) is not None:  # UTF-7 and the like let it pass
        raise DataError(f"{path}: found {broken}, which is not a character")
    return text


def decoded_predictions(path: Path) -> str:
    """The text of a file of predictions, which is UTF-8 whatever the data is in."""
    return decoded(path, "utf-8", advice="predictions are read as UTF-8, convert the file")


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in a UTF-8 file, unpacked; `what` was expected. Raises DataError where it is something else."""
    existing_file(path, what)
    text = decoded(path, "utf-8", advice=f"JSON is, expected {what}")
    try:
        content = json.loads(text, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {error.lineno}: not JSON ({error.msg} at column {error.colno}), expected {what}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: JSON that cannot be read ({_beyond(error)}), expected {what}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: found {kind(content)}, expected {what}")
    if _MAY_BE_BROKEN.search(text):
        _refuse_broken(str(path), content)
    return content


def text_lines(text: str) -> list[str]:
    """The lines of a text, blank ones too, without their ends; a line end behind the last line begins no other line."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def json_lines(path: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    """The objects in JSON lines, each with the number of its line; blank lines are left out."""
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        records.append((number, json_object(f"{path}: line {number}", line)))
    return records


def json_object(where: str, line: str) -> dict[str, Any]:
    """The object in a line of JSON."""
    try:
        record = json.loads(line, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: JSON that cannot be read ({_beyond(error)})") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: found {kind(record)}, expected an object")
    if _MAY_BE_BROKEN.search(line):
        _refuse_broken(where, record)
    return record


def _refuse_broken(where: str, value: Any, at: str = "") -> None:
    """Raises DataError with the place in the JSON of a text, or a name, that holds half of a surrogate pair."""
    if isinstance(value, str) and (broken := broken_text(value)) is not None:
        raise DataError(f"{where}: {at or 'the text'} holds {broken}, which is not a character. Try: remove it")
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_broken(where, name, f"the name {name!a}")
            _refuse_broken(where, inner, f"{at}.{name}" if at else repr(name))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            _refuse_broken(where, inner, f"{at}[{number}]")


def _beyond(error: ValueError | RecursionError) -> str:
    """What is too much for Python's reader of JSON."""
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"


def finite(value: int | float) -> bool:
    """Whether a JSON number is one that float64 holds."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False

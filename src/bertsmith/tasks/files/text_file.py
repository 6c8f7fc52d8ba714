"""Reading text and JSON from a file that the user names, with clear errors."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from bertsmith.config.valid_text import broken_text
from bertsmith.corpus.reading.cells import describe_json_error, kind, unique_keys
from bertsmith.corpus.reading.decoding import decided_encoding, refuse_binary
from bertsmith.corpus.reading.options import ReadingNotes
from bertsmith.corpus.reading.sources import COMPRESSIONS, SourceFile
from bertsmith.corpus.reading.unpacking import decompress, open_source
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import log_info

_MAY_BE_BROKEN = re.compile(r"\\u[dD][89a-fA-F]")
"""A JSON escape of half a surrogate pair."""


def existing_file(path: Path, what: str) -> None:
    """Raise DataError if the path is not a file; `what` describes the expected file."""
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.is_dir():
        raise DataError(f"{path}: found a folder, expected {what}")


def ending(path: Path) -> str:
    """Return the file name's extension in lower case, ignoring a compression extension after it."""
    packed = path.suffix.lower() in COMPRESSIONS
    return (path.with_suffix("") if packed else path).suffix.lower()


def _content(path: Path) -> bytes:
    """Return the bytes of a file, decompressed if its extension is .gz, .zst or .xz."""
    compression = path.suffix.lower()
    if compression not in COMPRESSIONS:
        return path.read_bytes()
    file = SourceFile(path.name, str(path), ending(path), compression)
    with open_source(file) as packed:
        return b"".join(decompress(file, packed, ReadingNotes()))


def decode_labelled_file(path: Path, encoding: str, *, advice: str = "Try: --encoding (windows-1252 is common)") -> str:
    """Return the decompressed text of a file without its byte order mark, which determines the encoding if present.

    Raises DataError if the file is empty or binary, or is not in this encoding (with the advice).
    """
    raw = _content(path)
    if not raw:
        raise DataError(f"{path}: the file is empty")
    try:
        encoding, reason = decided_encoding(raw, encoding)
        if reason is not None:
            log_info(f"{path}: {reason}")
            advice = "Is the file truncated or damaged?"
        refuse_binary(str(path), raw, encoding)
        text: str = raw.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise OptionError(
            f"--encoding: found {encoding!r}, expected an encoding that Python knows, such as utf-8"
        ) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].decode(encoding, "replace").count("\n") + 1
        raise DataError(
            f"{path}: line {line}, byte {error.start} (0x{raw[error.start]:02x}) is not {encoding}. {advice}"
        ) from None
    if (broken := broken_text(text)) is not None:  # some codecs, such as UTF-7, let it pass
        raise DataError(f"{path}: found {broken}, which is not a character")
    return text


def decoded_predictions(path: Path) -> str:
    """Return the text of a prediction file, which is UTF-8 whatever the encoding of the data."""
    return decode_labelled_file(path, "utf-8", advice="Try: convert the predictions to UTF-8")


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """Read the JSON object in a UTF-8 file, compressed or not. Raises DataError otherwise; `what` was expected."""
    existing_file(path, what)
    text = decode_labelled_file(path, "utf-8", advice=f"Expected {what}")
    try:
        content = json.loads(text, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {error.lineno}: not JSON ({describe_json_error(error)}), expected {what}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: found JSON that Python cannot read ({_beyond(error)}), expected {what}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: found {kind(content)}, expected {what}")
    if _MAY_BE_BROKEN.search(text):
        _refuse_broken(str(path), content)
    return content


def text_lines(text: str) -> list[str]:
    """Split a text into lines, including blank lines; a line end at the end of the text does not begin another line."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def parse_json_lines(path: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    """Parse JSON lines to objects, each with its line number; blank lines are left out."""
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        records.append((number, json_object(f"{path}: line {number}", line)))
    return records


def json_object(where: str, line: str) -> dict[str, Any]:
    """Parse the object in a line of JSON."""
    try:
        record = json.loads(line, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({describe_json_error(error)})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: found JSON that Python cannot read ({_beyond(error)})") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: found {kind(record)}, expected an object")
    if _MAY_BE_BROKEN.search(line):
        _refuse_broken(where, record)
    return record


def _refuse_broken(where: str, value: Any, at: str = "") -> None:
    """Raise DataError, with its path in the JSON, for a text or name that contains half of a surrogate pair."""
    if isinstance(value, str) and (broken := broken_text(value)) is not None:
        raise DataError(f"{where}: {at or 'the text'} contains {broken}, which is not a character. Try: remove it")
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_broken(where, name, f"the name {name!a}")
            _refuse_broken(where, inner, f"{at}.{name}" if at else repr(name))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            _refuse_broken(where, inner, f"{at}[{number}]")


def _beyond(error: ValueError | RecursionError) -> str:
    """Return the limit of Python's JSON parser that was exceeded."""
    return "nested too deeply" if isinstance(error, RecursionError) else "a number with too many digits"


def finite(value: int | float) -> bool:
    """Return whether float64 can represent a JSON number."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False

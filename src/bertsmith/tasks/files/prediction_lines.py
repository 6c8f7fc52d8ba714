"""Prediction files in JSON lines: one line per row of the labelled file, in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError
from bertsmith.tasks.files.text_file import decoded_predictions, existing_file, parse_json_lines


def aligned_lines(
    path: Path, name: str, texts: Sequence[str], *, labels_path: Path, expected: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the location and the object of each line; `record[name]` must equal the text of the row with its number.

    Raises DataError, with the line, if a text differs from that row of `labels_path`, and if lines are missing.
    `expected` describes such a file for messages.
    """
    existing_file(path, expected)
    count = 0
    for line, record in parse_json_lines(path, decoded_predictions(path)):
        where = f"{path}: line {line}"
        if count == len(texts):
            raise DataError(f"{where}: found more predictions than the {len(texts)} rows of {labels_path}")
        if record.get(name) != texts[count]:
            raise DataError(
                f"{where}: the {name} is {short_text(record.get(name))}, expected {short_text(texts[count])} as in row "
                f"{count + 1} of {labels_path}; predictions must be in the order of the rows"
            )
        count += 1
        yield where, record
    if count < len(texts):
        raise DataError(f"{path}: found {count} predictions, expected {len(texts)}, one per row of {labels_path}")


def short_text(text: object) -> str:
    """Return a value of a line for messages, at most 60 characters."""
    shown = repr(text) if isinstance(text, str) else "missing" if text is None else kind(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."

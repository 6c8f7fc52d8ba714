"""Files of predictions in JSON lines, one for each row of the labelled file, in its order."""

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
    """The lines of predictions with their places; each holds under a name the text of the row that it is for.

    `expected` describes such a file. Raises DataError, with the line, for a line that is for a different text than the
    row of `gold` at its place, and if lines are missing.
    """
    existing_file(path, expected)
    count = 0
    for line, record in parse_json_lines(path, decoded_predictions(path)):
        where = f"{path}: line {line}"
        if count == len(texts):
            raise DataError(f"{where}: more predictions than the {len(texts)} rows of {labels_path}")
        if record.get(name) != texts[count]:
            raise DataError(
                f"{where}: the {name} is {short_text(record.get(name))}, expected {short_text(texts[count])} of row "
                f"{count + 1} of {labels_path}; predictions stand in the order of the rows"
            )
        count += 1
        yield where, record
    if count < len(texts):
        raise DataError(f"{path}: {count} predictions, expected {len(texts)}, one for each row of {labels_path}")


def short_text(text: object) -> str:
    """A value of a line, for messages."""
    shown = repr(text) if isinstance(text, str) else "missing" if text is None else kind(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."

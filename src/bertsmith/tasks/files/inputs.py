"""The inputs of a predicting verb: its arguments, `--input FILE`, or the lines of standard input.

There is one answer per line, so inputs and outputs can be joined line by line. The answer to a blank line is empty
(`label` null, no entities, no masks).
"""

from __future__ import annotations

import sys
from pathlib import Path

from bertsmith.errors import DataError, OptionError
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import warn
from bertsmith.tasks.files.text_file import text_lines
from bertsmith.tasks.predict_options import TextsOptions


def read_input_texts(options: TextsOptions, verb: str) -> list[str]:
    """Return the texts of the arguments, or of the lines of a file or standard input, including blank lines.

    Raises OptionError if there are two sources of texts or none, DataError if a file cannot be read.
    """
    if options.texts and options.input is not None:
        raise OptionError(f"{verb}: found texts as arguments and --input, expected one of the two")
    return list(options.texts) or [text for _, text in read_input_lines(options.input, verb)]


def read_input_lines(file: Path | None, verb: str) -> list[tuple[str, str]]:
    """Return the lines of a file or standard input, including blank lines, as (location, line)."""
    if file is None and sys.stdin.isatty():
        raise OptionError(
            f'{verb}: found no text. Try: bertsmith {verb} MODEL "A text.", or lines of text in --input FILE or '
            "on standard input"
        )
    name = "standard input" if file is None else str(file)
    try:
        raw = sys.stdin.buffer.read() if file is None else file.read_bytes()
        lines = text_lines(raw.decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {line}, byte {error.start} is not UTF-8") from None
    if not lines:
        raise DataError(f"{name}: found no line, expected lines of text")
    return [(f"{name}: line {number}", line) for number, line in enumerate(lines, start=1)]


def parse_sentence_pair(where: str, line: str) -> tuple[str, str]:
    """Split a line into two texts separated by a tab; both are empty if the line is blank."""
    if not line.strip():
        return "", ""
    a, tab, b = line.partition("\t")
    if not tab or not a.strip() or not b.strip():
        raise DataError(f"{where}: found {line[:60]!r}, expected two texts separated by a tab")
    return a, b


def warn_of_blank_lines(blank: int, lines: int) -> None:
    """Warn about the number of blank lines, which get empty answers without running the model."""
    if blank:
        are = "is blank: its answer is" if blank == 1 else "are blank: their answers are"
        warn(f"{blank} of {counted(lines, 'line')} {are} null")

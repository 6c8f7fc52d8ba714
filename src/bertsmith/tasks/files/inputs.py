"""Where the inputs of a predicting verb come from: its arguments, `--input FILE`, or standard input by lines.

Each line has one answer, so that inputs and outputs can be pasted side by side. A blank line has an answer without a
label (`label` null, no entities, no masks).
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
    """The texts that the options name: the arguments, or one per line of a file or of standard input, blank lines too.

    Raises OptionError if texts come from two sides or none, DataError if a file cannot be read.
    """
    if options.texts and options.input is not None:
        raise OptionError(f"{verb}: texts are given as arguments and with --input; give one of them")
    return list(options.texts) or [text for _, text in read_input_lines(options.input, verb)]


def read_input_lines(file: Path | None, verb: str) -> list[tuple[str, str]]:
    """The lines of a file or of standard input, blank ones too, each with its place before it."""
    if file is None and sys.stdin.isatty():
        raise OptionError(
            f'{verb}: no text; give it as an argument (bertsmith {verb} MODEL "..."), with --input FILE, '
            "or on standard input"
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
        raise DataError(f"{name}: no text in it")
    return [(f"{name}: line {number}", line) for number, line in enumerate(lines, start=1)]


def parse_sentence_pair(where: str, line: str) -> tuple[str, str]:
    """The two texts of a line: A, a tab, B; both are empty if the line is blank."""
    if not line.strip():
        return "", ""
    a, tab, b = line.partition("\t")
    if not tab or not a.strip() or not b.strip():
        raise DataError(f"{where}: found {line[:60]!r}, expected A, a tab, B")
    return a, b


def warn_of_blank_lines(blank: int, lines: int) -> None:
    """Print how many lines have an answer without content; for inputs that the model does not get to see."""
    if blank:
        are = "is blank: its answer is" if blank == 1 else "are blank: their answers are"
        warn(f"{blank} of {counted(lines, 'line')} {are} null")

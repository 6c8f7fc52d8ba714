"""Where the inputs of a predicting verb come from: its arguments, `--input FILE`, or standard input by lines."""

from __future__ import annotations

import sys
from pathlib import Path

from bertsmith.errors import DataError, OptionError


def texts_of(texts: tuple[str, ...], file: Path | None, verb: str) -> list[str]:
    """The texts, one a line where they come from a file or standard input; blank lines are left out.

    Raises OptionError where texts come from two sides or none, DataError where a file cannot be read.
    """
    if texts and file is not None:
        raise OptionError(f"{verb}: texts are given as arguments and with --input; give one of them")
    return list(texts) or [text for _, text in lines_of(file, verb)]


def lines_of(file: Path | None, verb: str) -> list[tuple[str, str]]:
    """The lines of a file, or of standard input, that are not blank: where each stands, and what it says."""
    if file is None and sys.stdin.isatty():
        raise OptionError(
            f'{verb}: no text; give it as an argument (bertsmith {verb} MODEL "..."), with --input FILE, '
            "or on standard input"
        )
    name = "standard input" if file is None else str(file)
    try:
        raw = sys.stdin.buffer.read() if file is None else file.read_bytes()
        lines = raw.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {line}, byte {error.start} is not UTF-8") from None
    found = [(f"{name}: line {number}", line.rstrip("\r")) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise DataError(f"{name}: no text in it")
    return found

"""The exceptions of bertsmith, with the exit codes of the command line.

    BertsmithError                1   a bug, or an error that no other class describes
    ├── DivergedError             1   a training loss that is no longer finite
    ├── InputError                2   a mistake in the user's input
    │   ├── OptionError           2   an option, a configuration file
    │   ├── DataError             2   a text, a file, a corpus
    │   ├── ModelError            2   a MODEL that cannot be loaded or does not fit
    │   └── OutputError           2   an output folder that must not be replaced
    ├── ResourceError             3   memory, disk or another resource is short
    └── Interrupted             130   stopped by a signal; the work so far is kept

A message names the place, what was found, what was expected, and what to try next. The command line prints it without
a traceback; in Python it is the text of the exception.
"""

from __future__ import annotations

import re

SHOWN = 60
"""Characters of a value, such as a label, that a message shows."""
_LONG_WORD = re.compile(r"\S{200,}[^\s:;,.)]")
"""A word that is too long for a message, without the punctuation after it: text without spaces, or binary data. Paths
are usually shorter."""

_LONG_QUOTE = re.compile(r"""(?<=[\s(\[=])(['"])((?:\\.|(?!\1).){161,}?)\1(?=[\s,.;:)\]]|$)""")
"""A value in quotes that is too long for a message, as `repr` writes it."""


def shortened(text: str, most: int = SHOWN) -> str:
    """Return a text on one line, cut off if it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def readable(message: str) -> str:
    """Shorten very long words and values in a message, except in commands: lines that begin with two spaces."""
    return "\n".join(line if line.startswith("  ") else _without_long_values(line) for line in message.split("\n"))


def _without_long_values(line: str) -> str:
    line = _LONG_QUOTE.sub(lambda found: f"{found[1]}{shortened(found[2])}{found[1]}", line)
    return _LONG_WORD.sub(lambda found: f"{shortened(found[0])} ({len(found[0]):,} characters)", line)


class BertsmithError(Exception):
    """The root of all errors that bertsmith raises on purpose."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message without very long words."""
        return readable(super().__str__())


class DivergedError(BertsmithError):
    """A training loss or gradient is not finite. The weights from before that update are kept."""


class InputError(BertsmithError):
    """The user's input is wrong. Nothing was written."""

    exit_code = 2


class OptionError(InputError):
    """An option or a key of a configuration file is unknown, out of range, or contradicts another."""


class DataError(InputError):
    """A text, a file or a corpus cannot be used as it is."""


class ModelError(InputError):
    """A MODEL cannot be loaded, or cannot do what is asked."""


class OutputError(InputError):
    """The output folder is not empty, or holds a run that cannot be resumed."""


class ResourceError(BertsmithError):
    """Memory, disk or another resource is short."""

    exit_code = 3


class Interrupted(BertsmithError):
    """A signal stopped the work. Finished parts are kept and can be resumed."""

    exit_code = 130

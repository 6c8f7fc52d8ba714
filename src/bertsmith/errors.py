"""The exceptions of bertsmith and the exit codes that the command line gives them.

    BertsmithError                1   a bug, or what no other class describes
    ├── DivergedError             1   a training whose loss is not finite any more
    ├── InputError                2   what the user gave is wrong
    │   ├── OptionError           2   an option, a configuration file
    │   ├── DataError             2   a text, a file, a corpus
    │   ├── ModelError            2   a MODEL that cannot be loaded or does not fit
    │   └── OutputError           2   an output folder that is in the way
    ├── ResourceError             3   memory, disk or another resource is short
    └── Interrupted             130   stopped by a signal; the work so far is kept

A message says where, what was found, what was expected, and what to do next. The command line prints it without
a traceback; in Python it is the exception's text.
"""

from __future__ import annotations

import re

SHOWN = 60
"""Characters that a message shows of a value, such as a label."""
_LONG_WORD = re.compile(r"\S{200,}[^\s:;,.)]")
"""A word that is too long for a message, without the mark behind it: text without spaces, or data that is no text.
Paths are shorter as a rule."""

_LONG_QUOTE = re.compile(r"""(?<=[\s(\[=])(['"])((?:\\.|(?!\1).){161,}?)\1(?=[\s,.;:)\]]|$)""")
"""A value in quotes that is too long for a message, as `repr` writes it."""


def shortened(text: str, most: int = SHOWN) -> str:
    """A text in one line, its end cut off if it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def readable(message: str) -> str:
    """A message without very long words and values; commands, on lines that begin with two spaces, stay as they are."""
    return "\n".join(line if line.startswith("  ") else _without_long_values(line) for line in message.split("\n"))


def _without_long_values(line: str) -> str:
    line = _LONG_QUOTE.sub(lambda found: f"{found[1]}{shortened(found[2])}{found[1]}", line)
    return _LONG_WORD.sub(lambda found: f"{shortened(found[0])} ({len(found[0]):,} characters)", line)


class BertsmithError(Exception):
    """The root of all errors that bertsmith raises on purpose."""

    exit_code = 1

    def __str__(self) -> str:
        """The message, without very long words."""
        return readable(super().__str__())


class DivergedError(BertsmithError):
    """A loss or gradient of a training is not finite; the weights before that update are kept."""


class InputError(BertsmithError):
    """What the user gave is wrong; nothing was written."""

    exit_code = 2


class OptionError(InputError):
    """An option or a key of a configuration file is unknown, out of range, or contradicts another."""


class DataError(InputError):
    """A text, a file or a corpus cannot be used as it is."""


class ModelError(InputError):
    """A MODEL cannot be loaded, or does not fit what is asked of it."""


class OutputError(InputError):
    """The output folder exists and is not empty, or cannot be continued."""


class ResourceError(BertsmithError):
    """Memory, disk or another resource is short."""

    exit_code = 3


class Interrupted(BertsmithError):
    """The work was stopped by a signal; what was done is kept and can be resumed."""

    exit_code = 130

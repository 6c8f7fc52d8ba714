"""Names of options: one form for every spelling, and the nearest name to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def external_name(word: str, joint: str = "-") -> str:
    """Return the name of an option outside Python, given any spelling of it, such as `vocab_size` or `--vocab-size`.

    Its words are joined by a hyphen, as on the command line, or by an underscore, as in JSON. `from_` is `from`.
    """
    return word.strip().lstrip("-").rstrip("_").replace("_", joint).replace("-", joint)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'vocab-size'?` if one of the known names is similar to the word, else nothing."""
    near = difflib.get_close_matches(external_name(word), list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""

"""The cleaning steps that `--clean` switches on and off."""

from __future__ import annotations

from collections.abc import Sequence

from bertsmith.config.option_names import nearest

ALL_STEPS: dict[str, str] = {
    "unicode": "repair wrongly decoded characters (Ã© for é), normalize the text to Unicode form NFC",
    "controls": "remove control characters and invisible format characters",
    "boilerplate": "drop paragraphs that are not content: cookie notices, share buttons, page numbers",
    "symbols": "drop paragraphs in which fewer than half of the characters are letters or digits",
    "short": "drop documents with fewer words than --min-words",
    "repetitive": "drop documents that repeat themselves",
    "language": "drop documents that are certainly not in --language",
    "duplicates": "drop documents with the same text as an earlier one",
    "near-duplicates": "drop documents similar to an earlier one (--near-duplicates)",
    "paragraphs": "drop paragraphs of 100 characters or more that occurred earlier",
}
"""Steps and their descriptions, in the order of application."""

DEFAULT_STEPS: tuple[str, ...] = tuple(name for name in ALL_STEPS if name != "language")


def choose_steps(text: str | Sequence[str]) -> frozenset[str]:
    """Return the steps that are on, given changes to the defaults: a comma-separated text or a list of words.

    A name switches a step on, `no-` and its name switch it off. The first word may be `none` or `all`: the steps to
    start from, instead of the defaults.

    Raises ValueError for a word that is not a step, with the nearest name.
    """
    words = [word.strip() for word in (text.split(",") if isinstance(text, str) else text)]
    words = [word for word in words if word]
    steps = set(DEFAULT_STEPS)
    for place, word in enumerate(words):
        name = word.removeprefix("no-")
        if place == 0 and word in ("none", "all"):
            steps = set(ALL_STEPS) if word == "all" else set()
        elif name not in ALL_STEPS:
            raise ValueError(_unknown_step(word, place))
        elif name == word:
            steps.add(name)
        else:
            steps.discard(name)
    return frozenset(steps)


def _unknown_step(word: str, place: int) -> str:
    if word in ("none", "all"):
        return f"found {word!r} as word {place + 1}, expected it as the first word or not at all"
    known = [*ALL_STEPS, *(f"no-{name}" for name in ALL_STEPS), "none", "all"]
    return f"found {word!r}, expected one of {', '.join(ALL_STEPS)}, or no-STEP to switch it off{nearest(word, known)}"

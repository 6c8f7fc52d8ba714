"""The cleaning steps by name, torch-free: what `--clean` switches on and off."""

from __future__ import annotations

from collections.abc import Sequence

from bertsmith.config.option_names import nearest

ALL_STEPS: dict[str, str] = {
    "unicode": "repair wrongly decoded characters (Ã© for é), bring the text to Unicode form NFC",
    "controls": "remove control characters and invisible format characters",
    "boilerplate": "drop paragraphs that are furniture of a site: cookie notices, share buttons, page numbers",
    "symbols": "drop paragraphs in which fewer than half of the characters are letters or digits",
    "short": "drop documents with fewer words than --min-words",
    "repetitive": "drop documents that repeat themselves",
    "language": "drop documents that are surely in another language than --language",
    "duplicates": "drop documents whose text another one has",
    "near-duplicates": "drop documents that are like another one, see --near-duplicates",
    "paragraphs": "drop paragraphs of 100 characters or more that another document, or the same one, has",
}
"""Name to description, in the order in which steps are applied."""

DEFAULT_STEPS: tuple[str, ...] = tuple(name for name in ALL_STEPS if name != "language")


def choose_steps(text: str | Sequence[str]) -> frozenset[str]:
    """The steps that a comma list (or a list of words) leaves switched on.

    A name switches a step on, `no-` before it off; the defaults are what is changed. `none` as the first word starts
    from nothing, `all` from everything.

    Raises:
        ValueError: a word that is no step, with the nearest name.
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
        return f"{word!r} stands only as the first word, found as word {place + 1}"
    known = [*ALL_STEPS, *(f"no-{name}" for name in ALL_STEPS), "none", "all"]
    steps = ", ".join(ALL_STEPS)
    return f"found {word!r}{nearest(word, known)}; the steps are {steps}, and 'no-' before one switches it off"

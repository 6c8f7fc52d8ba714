"""The step `repetitive`: drop documents that repeat themselves (spam, templates, generated pages).

The measures are those of Rae et al. 2021 (Scaling Language Models: Methods, Analysis & Insights from Training Gopher,
table A1), with limits twice as high: the original limits are for web pages, and a poem with a refrain, a villanelle or
a litany exceeds them. Paragraphs are compared in the whole document. Runs of words are compared in windows at the
start, middle and end, and only in windows with few distinct words, which ordinary text does not have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

MAX_DUPLICATE_CHARACTERS = 0.40
"""Share of the characters in paragraphs that occurred before (table A1: 0.20)."""
MAX_TOP_RUN = {2: 0.40, 3: 0.36, 4: 0.32}
"""Share of the characters in the most frequent run of n words (table A1: 0.20, 0.18, 0.16)."""
MAX_DUPLICATE_RUNS = 0.40
"""Share of the words inside a run of ten words that occurred before (table A1, in characters of all copies: 0.10)."""
DUPLICATE_RUN = 10

MIN_CHARACTERS = 600
"""About 100 words. A shorter document can be a rhyme or a form."""
WINDOW = 1_000
"""Characters of a window, about 170 words."""
MAX_DISTINCT = 0.5
"""Windows with a larger share of distinct words are skipped; windows of prose have about 0.7."""


def is_repetitive(paragraphs: Sequence[str]) -> bool:
    """Return whether a document repeats itself: in its paragraphs, or in the words of most of its windows."""
    text = "\n".join(paragraphs)
    if len(text) < MIN_CHARACTERS:
        return False
    distinct = set(paragraphs)
    if len(distinct) < len(paragraphs):
        duplicate = sum(map(len, paragraphs)) - sum(map(len, distinct))
        if duplicate > MAX_DUPLICATE_CHARACTERS * len(text):
            return True
    middle = max(0, len(text) - WINDOW) // 2
    if not _repeats(text[middle : middle + WINDOW]):
        return False
    return len(text) <= 2 * WINDOW or _repeats(text[:WINDOW]) or _repeats(text[-WINDOW:])


def _repeats(window: str) -> bool:
    words = window.split()
    if len(words) < 50 or len(set(words)) > MAX_DISTINCT * len(words):
        return False
    characters = sum(map(len, words))
    for length, limit in MAX_TOP_RUN.items():
        run, count = Counter(zip(*(words[start:] for start in range(length)), strict=False)).most_common(1)[0]
        if count > 3 and count * sum(map(len, run)) > limit * characters:
            return True
    return _duplicate_share(words) > MAX_DUPLICATE_RUNS


def _duplicate_share(words: Sequence[str]) -> float:
    """Return the share of the words inside a run of `DUPLICATE_RUN` words that occurred before."""
    seen: set[tuple[str, ...]] = set()
    duplicate = covered = 0
    for start in range(len(words) - DUPLICATE_RUN + 1):
        run = tuple(words[start : start + DUPLICATE_RUN])
        if run in seen:
            stop = start + DUPLICATE_RUN
            duplicate += stop - max(start, covered)
            covered = stop
        seen.add(run)
    return duplicate / len(words)

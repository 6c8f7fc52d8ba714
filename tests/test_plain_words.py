"""Phrases that readers stumble over hardly occur in the source, the docs and the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PHRASES = (
    *("so many", "so much of", r"\btold\b", " beside ", r"\bstands? in\b", r"\b(?:is|are) said\b"),
    *(r"\b(?:goes|gone) on\b", "where it is not", "of its own"),
)
STUMBLING = re.compile("|".join(PHRASES), re.IGNORECASE)
AT_MOST = 10
"""A few are natural English: `a file of its own`."""


def pages() -> list[Path]:
    """Every text that people read: source, docs, README."""
    kinds = (".py", ".md", ".html", ".css", ".js")
    found = [path for folder in ("src", "docs") for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    return sorted([*found, ROOT / "README.md"])


def occurrences(text: str) -> list[tuple[int, str]]:
    """The line and the words of each occurrence; a phrase may go over the end of a line."""
    joined = re.sub(r"\s", " ", text)
    return [(text.count("\n", 0, found.start()) + 1, found[0].strip()) for found in STUMBLING.finditer(joined)]


def test_phrases_that_readers_stumble_over_are_rare() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {words}"
        for path in pages()
        for line, words in occurrences(path.read_text(encoding="utf-8"))
    ]
    assert len(found) <= AT_MOST, f"{len(found)} occurrences, at most {AT_MOST}:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So many are\ntold so.", [(1, "So many"), (2, "told")]),
        ("one\nof its\nown, beside it", [(2, "of its own"), (3, "beside")]),
        ("It stood on an untold standing instead.", []),
    ],
)
def test_occurrences_are_found_across_lines(text: str, expected: list[tuple[int, str]]) -> None:
    assert occurrences(text) == expected

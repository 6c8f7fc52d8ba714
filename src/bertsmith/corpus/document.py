"""A document: the output of the readers and the input of every later stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A text of paragraphs with an id that stays the same when the corpus grows.

    `lines_are_sentences` is set for the format of google-research/bert (one sentence per line): its paragraphs are
    already sentences and are not split again.
    """

    id: str
    paragraphs: tuple[str, ...]
    lines_are_sentences: bool = False


def paragraphs_of(text: str) -> tuple[str, ...]:
    """Split a text into paragraphs at blank lines and join the hard-wrapped lines of each.

    In a text without blank lines each line is a paragraph.
    """
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if "" not in _trimmed(lines):
        return tuple(line for line in lines if line)
    return tuple(" ".join(block) for block in line_blocks(lines))


def line_blocks(lines: list[str]) -> list[list[str]]:
    """Group consecutive non-blank lines."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _trimmed(lines: list[str]) -> list[str]:
    """Remove blank lines at the start and the end."""
    start, stop = 0, len(lines)
    while start < stop and not lines[start]:
        start += 1
    while stop > start and not lines[stop - 1]:
        stop -= 1
    return lines[start:stop]

"""A document: what readers make and every later stage takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A text of paragraphs with an id that stays the same when the corpus grows.

    `lines_are_sentences` is set for the form of google-research/bert (one sentence a line): its paragraphs are
    sentences already and are not split again.
    """

    id: str
    paragraphs: tuple[str, ...]
    lines_are_sentences: bool = False


def paragraphs_of(text: str) -> tuple[str, ...]:
    """The paragraphs of a text: blocks between blank lines, their hard-wrapped lines joined.

    A text without blank lines has one paragraph a line.
    """
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if "" not in _trimmed(lines):
        return tuple(line for line in lines if line)
    return tuple(" ".join(block) for block in line_blocks(lines))


def line_blocks(lines: list[str]) -> list[list[str]]:
    """Runs of lines that are not blank."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _trimmed(lines: list[str]) -> list[str]:
    """The lines without blank ones at the start and the end."""
    start, stop = 0, len(lines)
    while start < stop and not lines[start]:
        start += 1
    while stop > start and not lines[stop - 1]:
        stop -= 1
    return lines[start:stop]

"""`.txt`: one document or many, by blank lines or by lines.

What a document is shows only in the whole file, so it is read whole; with `--documents line` it is streamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from bertsmith.corpus.document import Document, blocks_of, paragraphs_of
from bertsmith.corpus.reading.decoding import lines_with_ends, text_pieces
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile

SENTENCE_END = (".", "!", "?", "…", "。", "．", "！", "？", "।", "؟")
CLOSING = "\"'”’»›)]）」』】"
"""What may stand between the end of a sentence and the end of its line."""
DETECT_SHARE = 0.8


def read_plain_text(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """The documents of a plain text."""
    lines = (line.strip() for line in lines_with_ends(text_pieces(file, options, notes, name_lines=False)))
    if options.documents == "line":
        number = 0
        for line in lines:
            if line:
                yield Document(f"{file.name}#{number}", (line,))
                number += 1
        if number == 0:
            yield Document(f"{file.name}#0", ())
        return
    yield from _documents(file, list(lines), options, notes)


def _documents(file: SourceFile, lines: list[str], options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    form = options.documents
    if not any(lines):
        yield Document(f"{file.name}#0", ())
        return
    if form == "auto":
        form, why = detect_documents(lines)
        notes.detected.append(f"{file.name}: {why}")
    if form == "blank-line":
        parts = blocks_of(lines)
        sentences = ends_sentences(parts)
        for number, block in enumerate(parts):
            paragraphs = tuple(block) if sentences else (" ".join(block),)
            yield Document(f"{file.name}#{number}", paragraphs, lines_are_sentences=sentences)
    else:
        yield Document(f"{file.name}#0", paragraphs_of("\n".join(lines)))


def detect_documents(lines: list[str]) -> tuple[Literal["file", "blank-line"], str]:
    """What a document of a text file is, and why.

    A blank line ends a document only where blocks hold several lines and at least 80% of the lines end in
    sentence-final punctuation (the form of google-research/bert). Elsewhere it parts the paragraphs of one document.
    """
    blocks = blocks_of(lines)
    if len(blocks) < 2:
        return "file", "no blank lines: one document, its lines are paragraphs"
    total = sum(len(block) for block in blocks)
    several = sum(len(block) > 1 for block in blocks) * 2 >= len(blocks)
    if several and ends_sentences(blocks):
        return (
            "blank-line",
            f"{total} lines of one sentence each, blank lines between {len(blocks)} documents "
            "(--documents file reads them as one)",
        )
    if all(len(block) == 1 for block in blocks):
        return "file", f"one document, its {len(blocks)} paragraphs a line each"
    return (
        "file",
        f"one document of {len(blocks)} paragraphs, wrapped lines joined (--documents changes this)",
    )


def ends_sentences(blocks: list[list[str]]) -> bool:
    """Whether at least 80% of the lines end in sentence-final punctuation."""
    lines = [line for block in blocks for line in block]
    return sum(line.rstrip(CLOSING).endswith(SENTENCE_END) for line in lines) >= DETECT_SHARE * len(lines)

"""`.txt`: one or many documents, separated by blank lines or lines.

The file is streamed. Its first part shows what a document is, and whether blank lines separate paragraphs; this then
holds for the whole file.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from itertools import chain, dropwhile, groupby
from typing import Literal

from bertsmith.corpus.document import Document, line_blocks
from bertsmith.corpus.reading.decoding import plain_lines, read_text_buffers
from bertsmith.corpus.reading.long_documents import StreamedDocument
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile

SENTENCE_END = (
    ".", "!", "?", "…", "。", "．", "｡", "！", "？", "।", "॥", "؟", "۔", "։", "።", "፧", "။", "។", "៕", "།", "༎", "᠃",
    "꧉",
)  # fmt: skip
CLOSING = "\"'”’»›)]）」』】》〉｣"
"""Characters that may come between the end of a sentence and the end of its line."""
_WITHOUT_FINAL_MARKS = re.compile("[\u0e01-\u0eff]$")
"""Thai and Lao, whose sentences have no final mark."""
WRAPPED_SHARE = 0.75
"""All wrapped lines of a block except the last have at least this share of the length of the longest line."""
DETECT_SHARE = 0.8
FIRST_PART = 4_000_000
"""Characters at the start of a file from which its format is detected."""


def read_plain_text(
    file: SourceFile, options: ReadingOptions, notes: ReadingNotes
) -> Iterator[Document | StreamedDocument]:
    """Yield the documents of a plain text file."""
    lines = plain_lines(read_text_buffers(file, options, notes, name_lines=False))
    documents = _documents(file.name, lines, options, notes=notes)
    yield next(documents, Document(f"{file.name}#0", ()))
    yield from documents


def _documents(
    name: str, lines: Iterator[str], options: ReadingOptions, *, notes: ReadingNotes
) -> Iterator[Document | StreamedDocument]:
    """Yield the documents of these lines; none if all lines are blank."""
    if options.documents == "line":
        for number, line in enumerate(filter(None, lines)):
            yield Document(f"{name}#{number}", (line,))
        return
    head, more = _first_part(lines)
    if not head:
        return
    unit, blocks = options.documents, line_blocks(head)
    if unit == "auto":
        unit, reason = detect_documents(head)
        sample = f"detected from the first {FIRST_PART:,} characters: " if more is not None else ""
        notes.detected.append(f"{name}: {sample}{reason}")
    sentences, several = lines_end_sentences(blocks), len(blocks) > 1
    lines = chain(head, more or ())
    del head, blocks
    runs = (run for text, run in groupby(lines, bool) if text)
    if unit == "blank-line":
        for number, run in enumerate(runs):
            if sentences:
                yield StreamedDocument(f"{name}#{number}", run, lines_are_sentences=True)
            else:
                yield Document(f"{name}#{number}", (" ".join(run),))
    else:
        yield StreamedDocument(f"{name}#0", map(" ".join, runs) if several else filter(None, lines))


def _first_part(lines: Iterator[str]) -> tuple[list[str], Iterator[str] | None]:
    """Return the lines that show the format, from the first non-blank line, and an iterator over any other lines."""
    head: list[str] = []
    size = 0
    for line in dropwhile(operator.not_, lines):
        if size > FIRST_PART:
            return head, chain((line,), lines)
        head.append(line)
        size += len(line) + 1
    return head, None


def detect_documents(lines: list[str]) -> tuple[Literal["file", "blank-line"], str]:
    """Detect what a document of a text file is; return it with the reason.

    Blank lines separate documents only if blocks have several lines and at least 80% of the lines end in sentence-final
    punctuation (the format of google-research/bert). Otherwise they separate the paragraphs of one document.
    """
    blocks = line_blocks(lines)
    if len(blocks) < 2:
        return "file", "no blank lines: one document, with a paragraph per line"
    total = sum(len(block) for block in blocks)
    several = sum(len(block) > 1 for block in blocks) * 2 >= len(blocks)
    if several and lines_end_sentences(blocks):
        return (
            "blank-line",
            f"{len(blocks)} documents between blank lines, with one sentence per line ({total} lines; --documents file "
            "reads the file as one document)",
        )
    if all(len(block) == 1 for block in blocks):
        return "file", f"one document of {len(blocks)} paragraphs, one per line"
    return (
        "file",
        f"one document of {len(blocks)} paragraphs, wrapped lines joined (--documents changes this)",
    )


def lines_end_sentences(blocks: list[list[str]]) -> bool:
    """Return whether at least 80% of the lines end in sentence-final punctuation.

    In scripts without final marks every line counts, unless the lines of its block have about the same length, because
    then they are wrapped.
    """
    ended = sum(_ends_sentence(line, block) for block in blocks for line in block)
    return ended >= DETECT_SHARE * sum(map(len, blocks))


def _ends_sentence(line: str, block: list[str]) -> bool:
    text = line.rstrip(CLOSING)
    if text.endswith(SENTENCE_END):
        return True
    if not _WITHOUT_FINAL_MARKS.search(text) or len(block) < 2:
        return False
    return min(map(len, block[:-1])) < WRAPPED_SHARE * max(map(len, block))

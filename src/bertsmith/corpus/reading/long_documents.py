"""Split long documents: a document of a gigabyte would otherwise be a single block, held in memory by one process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.options import ReadingNotes

LONGEST_PART = 8_000_000
"""Characters; longer documents are split into parts."""


@dataclass(frozen=True)
class StreamedDocument:
    """A document whose paragraphs are read on demand, before the next document."""

    id: str
    paragraphs: Iterable[str]
    lines_are_sentences: bool = False


def split_long_documents(
    documents: Iterator[Document] | Iterator[Document | StreamedDocument], name: str, notes: ReadingNotes
) -> Iterator[Document]:
    """Yield the documents of the file `name`; split those of more than `LONGEST_PART` characters."""
    for document in documents:
        if isinstance(document, Document) and (
            len(document.paragraphs) < 2 or sum(map(len, document.paragraphs)) <= LONGEST_PART
        ):
            yield document
        else:
            yield from split_document(document, name, notes)


def split_document(document: Document | StreamedDocument, name: str, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the parts of a document, each as a document; only the document itself if it is short enough.

    Parts end at paragraph ends, so a part with a single paragraph can exceed `LONGEST_PART`. Their ids are `id`,
    `id+1`, `id+2` and so on.
    """
    waiting: list[str] = []
    size = before = number = 0
    for paragraph in document.paragraphs:
        if size + len(paragraph) > LONGEST_PART and waiting:
            yield _part(document, number, waiting)
            waiting = []
            number += 1
            before += size
            size = 0
        waiting.append(paragraph)
        size += len(paragraph)
    yield _part(document, number, waiting)
    if number:
        notes.detected.append(f"{name}: one document of {before + size:,} characters, read in {number + 1} parts")


def _part(document: Document | StreamedDocument, number: int, paragraphs: list[str]) -> Document:
    identifier = f"{document.id}+{number}" if number else document.id
    return Document(identifier, tuple(paragraphs), document.lines_are_sentences)

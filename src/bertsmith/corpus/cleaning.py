"""Cleaning: each document leaves with clean paragraphs, or is dropped for a reason that is counted.

White space is made plain, control characters go, Unicode is brought to NFC. Nothing else is changed: what a text
says is its author's.
"""

from __future__ import annotations

import re
import unicodedata

from bertsmith.corpus.document import Document

EMPTY = "empty"
DUPLICATE = "duplicate"

# C0 and C1 controls that are no white space, the byte order mark, and lone surrogates (no UTF-8 holds them).
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ud800-\udfff]")
_SPACE = re.compile(r"\s+")


def clean_paragraph(text: str) -> str:
    """One line of clean text; empty where nothing is left."""
    text = _CONTROL.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return _SPACE.sub(" ", text).strip()


def clean_document(document: Document) -> Document | None:
    """The document with clean paragraphs, or None where none is left (reason: `empty`)."""
    paragraphs = tuple(clean for paragraph in document.paragraphs if (clean := clean_paragraph(paragraph)))
    if not paragraphs:
        return None
    return Document(document.id, paragraphs, document.lines_are_sentences)

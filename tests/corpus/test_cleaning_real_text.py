"""Cleaning of real texts: almost nothing of a book is dropped, and nothing is altered."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from bertsmith.config.cleaning import choose_steps
from bertsmith.corpus.cleaning import (
    CleaningCounts,
    CleaningOptions,
    DroppedText,
    clean_document,
)
from bertsmith.corpus.document import Document, paragraphs_of


def books(path: Path, most: int) -> Iterator[Document]:
    """The first books of a shard."""
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine")
    with path.open("rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8", newline="\n")
        for _, line in zip(range(most), lines, strict=False):
            row = json.loads(line)
            yield Document(row["id"], paragraphs_of(row["text"]))


@pytest.mark.parametrize(
    ("name", "language", "most", "paragraphs_dropped"),
    [("books/000", "en", 20, 7), ("multilingual/de", "de", 4, 11), ("multilingual/zh", "zh", 1, 0)],
)
def test_books(shared_data: Path, name: str, language: str, most: int, paragraphs_dropped: int) -> None:
    counts, dropped = CleaningCounts(), list[DroppedText]()
    options = CleaningOptions(choose_steps("language"), language)
    for document in books(shared_data / "corpora" / f"{name}.jsonl.zst", most):
        some: list[DroppedText] = []
        cleaned = clean_document(document, options, counts, dropped=some)
        assert isinstance(cleaned, Document), f"{document.id} is no book: {cleaned}"
        gone = {entry.paragraph for entry in some}
        plain = [" ".join(text.split()) for place, text in enumerate(document.paragraphs) if place not in gone]
        composed = [unicodedata.normalize("NFC", text) for text in plain]
        altered = [(a, b) for a, b in zip(composed, cleaned.paragraphs, strict=True) if a != b]
        assert [b for _, b in altered if "à -la-mode" not in b] == []  # one place is wrongly decoded in the source
        dropped += some
    assert len(dropped) <= paragraphs_dropped, dropped
    assert counts.paragraphs_dropped.total() == len(dropped)
    assert sum(len(entry.text) for entry in dropped) <= 400


def test_books_are_not_in_another_language(shared_data: Path) -> None:
    path = shared_data / "corpora" / "multilingual" / "de.jsonl.zst"
    options = CleaningOptions(choose_steps("language"), "en")
    reasons = [clean_document(document, options, CleaningCounts()) for document in books(path, 4)]
    assert reasons == ["other language"] * 4


def test_articles(shared_data: Path) -> None:
    path = shared_data / "evaluation" / "wiki.test.raw"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine")
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    dropped: list[DroppedText] = []
    for start in range(0, len(lines), 100):
        document = Document("wiki", tuple(lines[start : start + 100]))
        cleaned = clean_document(document, CleaningOptions(choose_steps("all")), CleaningCounts(), dropped=dropped)
        assert cleaned == Document("wiki", tuple(" ".join(line.split()) for line in document.paragraphs))
    assert dropped == []
    # One document per line: only lines of one or two words are too short.
    for line in lines:
        cleaned = clean_document(Document("line", (line,)), CleaningOptions(), CleaningCounts())
        assert isinstance(cleaned, Document) or len(line.split()) < 3

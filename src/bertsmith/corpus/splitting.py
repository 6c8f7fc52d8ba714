"""The held-out part: whole documents by a hash of their id, or spans of paragraphs if there are few documents.

The hash keeps a document on the same side when the corpus grows. If it holds out fewer than two documents or under
2,000 tokens (for example if the corpus is one book), contiguous spans of paragraphs of all documents are held out
instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.runtime import random

MIN_DOCUMENTS = 2
MIN_TOKENS = 2_000
MAX_SHARE = 0.2
SPANS_PER_DOCUMENT = 8
FEW_PARAGRAPHS = 50


@dataclass(frozen=True)
class DocumentSpan:
    """Sentences `start` to `stop` of a document, and whether they are held out."""

    start: int
    stop: int
    held_out: bool


def is_held_out(document_id: str, share: float, seed: int) -> bool:
    """Return whether a document is held out: a pure function of its id, the share and the seed."""
    return random.key("held-out", seed, document_id) < share * 2.0**64


def read_ids(path: Path) -> frozenset[str]:
    """Read document ids from a file with one id per line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        ids = frozenset(line.strip() for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--held-out {path}: cannot be read, expected one document id per line: {error}") from None
    if not ids:
        raise DataError(f"--held-out {path}: found no document id, expected one id per line")
    return ids


def document_spans(
    documents: Sequence[tuple[str, Sequence[int], Sequence[int]]], share: float, seed: int
) -> list[list[DocumentSpan]]:
    """Split every document into spans so that a share of the words of each is held out.

    Args:
        documents: per document, its id, the number of sentences per paragraph, and the number of words per sentence.
        share: share of words (`unspaced.count_words`) to hold out; raised if needed to hold out 2,000 words, which are
            about 2,000 tokens or more.

    Paragraphs stay whole if they are short enough; otherwise sentences are the unit.

    Raises DataError if 2,000 words are more than a fifth of the corpus.
    """
    words = sum(sum(counts) for _, _, counts in documents)
    needed = MIN_TOKENS * 1.05 / max(words, 1)
    if needed > MAX_SHARE:
        raise DataError(
            f"the corpus is too small for a held-out part: found {words:,} words, expected at least "
            f"{int(MIN_TOKENS * 1.05 / MAX_SHARE):,} (the held-out part needs {MIN_TOKENS:,} words and may be at most "
            "a fifth of the corpus). Try: add text"
        )
    share = max(share, needed)
    if sum(len(lengths) for _, lengths, _ in documents) >= FEW_PARAGRAPHS:
        spans_of_documents = _split_documents(documents, share, seed, whole_paragraphs=True)
        if _held_words(documents, spans_of_documents) >= MIN_TOKENS:
            return spans_of_documents
    # Sentences have up to 2,000 characters, so half a sentence may be missing at the end: retry with a fifth more.
    for target in (share, max(share, min(share * 1.2, MAX_SHARE))):
        spans_of_documents = _split_documents(documents, target, seed, whole_paragraphs=False)
        if _held_words(documents, spans_of_documents) >= MIN_TOKENS:
            return spans_of_documents
    raise DataError(
        f"the corpus is too small for a held-out part: its {words:,} words are in sentences so long that no selection "
        f"of {MIN_TOKENS:,} words fits. Try: add text"
    )


def _split_documents(
    documents: Sequence[tuple[str, Sequence[int], Sequence[int]]], share: float, seed: int, *, whole_paragraphs: bool
) -> list[list[DocumentSpan]]:
    deficit = 0.0
    spans_of_documents: list[list[DocumentSpan]] = [[] for _ in documents]
    # In id order, so that the result does not depend on the order of the files.
    for index in sorted(range(len(documents)), key=lambda index: documents[index][0]):
        name, paragraph_lengths, word_counts = documents[index]
        units = list(paragraph_lengths) if whole_paragraphs else [1] * len(word_counts)
        held, deficit = _held_units(name, units, word_counts, share=share, seed=seed, deficit=deficit)
        spans_of_documents[index] = _document_spans(units, held)
    return spans_of_documents


def _held_words(
    documents: Sequence[tuple[str, Sequence[int], Sequence[int]]], spans_of_documents: list[list[DocumentSpan]]
) -> int:
    return sum(
        sum(word_counts[span.start : span.stop])
        for (_, _, word_counts), spans in zip(documents, spans_of_documents, strict=True)
        for span in spans
        if span.held_out
    )


def _held_units(
    name: str, units: Sequence[int], word_counts: Sequence[int], *, share: float, seed: int, deficit: float
) -> tuple[list[bool], float]:
    """Choose the held-out units (paragraphs or sentences) of a document: one span per stratum of the document.

    `deficit` is the number of words that earlier documents could not hold out because their units were too long.
    """
    sizes, position = [], 0
    for length in units:
        sizes.append(sum(word_counts[position : position + length]))
        position += length
    held = [False] * len(units)
    strata = max(1, min(SPANS_PER_DOCUMENT, len(units) // 20))
    for stratum in range(strata):
        first, last = stratum * len(units) // strata, (stratum + 1) * len(units) // strata
        words = sum(sizes[first:last])
        deficit += share * words
        # Start the span early enough that the stratum has enough words left.
        skip = random.key("held-out run", seed, name, stratum) / 2.0**64 * max(words - deficit, 0)
        at = first
        while at < last and sizes[at] <= skip:
            skip -= sizes[at]
            at += 1
        while at < last and deficit >= sizes[at] / 2:
            held[at] = True
            deficit -= sizes[at]
            at += 1
    return held, deficit


def _document_spans(units: Sequence[int], held: Sequence[bool]) -> list[DocumentSpan]:
    spans: list[DocumentSpan] = []
    position = 0
    for length, out in zip(units, held, strict=True):
        if spans and spans[-1].held_out == out:
            spans[-1] = DocumentSpan(spans[-1].start, position + length, out)
        else:
            spans.append(DocumentSpan(position, position + length, out))
        position += length
    return spans

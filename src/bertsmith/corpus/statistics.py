"""Statistics of a corpus for its report: lengths of documents and sentences, languages, frequent words.

Lengths are counted in classes that double: class k holds lengths from 2^k to 2^(k+1) - 1; class 0 also holds 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.cleaning import identify_language
from bertsmith.corpus.document import Document

Array = npt.NDArray[Any]

LANGUAGE_SAMPLES_PER_SHARD = 16
"""Documents per shard whose language is identified, at about a millisecond each."""
LANGUAGE_CHARACTERS = 2_000


@dataclass
class CleanStatistics:
    """Counts collected while documents are cleaned."""

    document_characters: Counter[int] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)

    def add(self, document: Document) -> None:
        """Count a document."""
        size = sum(map(len, document.paragraphs))
        self.document_characters[max(size.bit_length() - 1, 0)] += 1
        if self.languages.total() < LANGUAGE_SAMPLES_PER_SHARD:
            # From the middle, because books and pages begin with names and titles.
            middle = document.paragraphs[len(document.paragraphs) // 2 :]
            self.languages[identify_language(" ".join(middle[:50])[:LANGUAGE_CHARACTERS])] += 1

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"document_characters": _texts(self.document_characters), "languages": dict(self.languages)}


def sentence_classes(lengths: Array) -> dict[str, int]:
    """Count sentences per length class, by their tokens."""
    classes = np.floor(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    counts = np.bincount(classes)
    return {str(number): int(count) for number, count in enumerate(counts) if count}


def sum_counts(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts of several parts; sort numeric names by number, other names by count."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    if all(name.isdigit() for name in total):
        return {name: total[name] for name in sorted(total, key=int)}
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _texts(counts: Counter[int]) -> dict[str, int]:
    return {str(number): counts[number] for number in sorted(counts)}

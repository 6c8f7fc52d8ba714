"""How well a vocabulary covers the training part of a STORE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.runtime.files import read_json

Array = npt.NDArray[Any]

FREQUENT_WORDS = 60
WORD_STARTS = ("▁", "Ġ")
"""Markers of the first token of a word in SentencePiece and byte-level BPE vocabularies."""


@dataclass(frozen=True)
class VocabularyFigures:
    """Number of entries that occur, share of unknown tokens, and the most frequent words with their counts."""

    used: int
    unknown_rate: float
    frequent_words: dict[str, int]


def vocabulary_figures(unigram: Array, tokenizer_json: Path) -> VocabularyFigures:
    """Measure the coverage of the training part: entries that occur, unknown tokens, most frequent words."""
    names, unknown = _entries(read_json(tokenizer_json)["model"])
    total = max(int(unigram.sum()), 1)
    marked = not any(name.startswith("##") for name in names.values()) and any(
        name.startswith(WORD_STARTS) for name in names.values()
    )
    words: dict[str, int] = {}
    for number in np.argsort(-unigram, kind="stable").tolist():
        name = names.get(number, "")
        if not unigram[number] or len(words) == FREQUENT_WORDS:
            break
        if marked:
            name = name[1:] if name.startswith(WORD_STARTS) else ""
        if name.isalpha():
            words[name] = int(unigram[number])
    unknown_rate = int(unigram[unknown]) / total if unknown >= 0 else 0.0
    return VocabularyFigures(int(np.count_nonzero(unigram)), unknown_rate, words)


def _entries(model: dict[str, Any]) -> tuple[dict[int, str], int]:
    """Return the entries of a tokenizer model by id, and the id of the unknown token (-1 if there is none).

    The vocabulary of a Unigram model is a list of entries with scores; all others have an object of ids.
    """
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        unknown = model.get("unk_id")
        return {number: token for number, (token, _) in enumerate(vocabulary)}, -1 if unknown is None else unknown
    return {number: token for token, number in vocabulary.items()}, vocabulary.get(model.get("unk_token"), -1)

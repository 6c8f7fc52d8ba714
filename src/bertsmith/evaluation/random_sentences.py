"""A reproducible random sample of the sentences of a part."""

from __future__ import annotations

import numpy as np

from bertsmith.corpus.store import TokenPart
from bertsmith.runtime import random


def random_sentences(part: TokenPart, count: int, *, purpose: str, seed: int = 0) -> list[list[int]]:
    """Return the ids of up to `count` sentences in text order; a pure function of (part, purpose, seed)."""
    order = random.generator(purpose, seed).permutation(part.num_sentences)
    chosen = np.sort(order[:count])
    bounds = zip(part.sentence_offsets[chosen].tolist(), part.sentence_offsets[chosen + 1].tolist(), strict=True)
    return [part.tokens(start, stop).astype(np.int64).tolist() for start, stop in bounds]

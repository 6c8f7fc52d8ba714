"""Sentences to ids: many at a time, on all cores, with exactly the ids of the stock tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint32]


class SentenceEncoder:
    """Encodes corpus text.

    The name of a special token that stands in a text (`[MASK]` in a book about BERT) is read as its characters: in a
    corpus it is a word, not a place to predict.
    """

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.encode_special_tokens = True

    def encode(self, sentences: Sequence[str]) -> tuple[Ids, Ids]:
        """The ids of all sentences in a row, and the number of ids of each."""
        encodings = self._tokenizer.encode_batch_fast(list(sentences), add_special_tokens=False)
        lengths = np.fromiter((len(item.ids) for item in encodings), dtype=np.uint32, count=len(encodings))
        ids = np.fromiter(
            (token for item in encodings for token in item.ids), dtype=np.uint32, count=int(lengths.sum())
        )
        return ids, lengths

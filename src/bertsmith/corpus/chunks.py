"""Chunks: what stands between white space, as numbers.

A corpus repeats its chunks: in 11 MB of novels 2.0 million stand for 118 thousand different ones. A text is split
once, its different chunks become a dictionary, and the text a row of numbers. Everything after that works on the
dictionary and on the numbers: near-duplicates, word counts, token ids. The text itself comes back by joining.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]

_SPACE, _LINE = 32, 10


@dataclass(frozen=True)
class Chunks:
    """Sentences as numbers.

    Attributes:
        dictionary: the different chunks, in the order of their first occurrence.
        codes: int32 of [chunks], the place of each chunk in the dictionary.
        lengths: int64 of [sentences], the chunks of each sentence.
    """

    dictionary: list[str]
    codes: Array
    lengths: Array


def split_chunks(sentences: Sequence[str]) -> Chunks:
    """Split clean sentences: parts of text with one plain space between them, none at either end, no line break."""
    if not sentences:
        return Chunks([], np.zeros(0, np.int32), np.zeros(0, np.int64))
    raw = ("\n".join(sentences) + "\n").encode()
    characters = np.frombuffer(raw, np.uint8)
    # Each chunk with the separator behind it: so the chunks lie in a row and nothing has to be copied.
    ends = np.flatnonzero((characters == _SPACE) | (characters == _LINE))
    kind = pa.StringArray if len(raw) < 2**31 else pa.LargeStringArray
    offsets = np.zeros(len(ends) + 1, np.int32 if kind is pa.StringArray else np.int64)
    offsets[1:] = ends + 1
    last_of_sentence = np.flatnonzero(characters[ends] == _LINE)
    lengths = np.diff(last_of_sentence, prepend=-1)
    data = pa.py_buffer(raw.replace(b"\n", b" "))
    chunks = kind.from_buffers(len(ends), pa.py_buffer(offsets), data)
    encoded = chunks.dictionary_encode()
    joined = "".join(encoded.dictionary.to_pylist())
    return Chunks(joined[:-1].split(" "), encoded.indices.to_numpy(), lengths)

"""Chunks: runs of text between white space, stored as numbers.

A corpus repeats its chunks: 11 MB of novels have 2.0 million chunks, but only 118 thousand distinct ones. So each text
is split once, the distinct chunks become a dictionary, and the text becomes an array of dictionary indices. All later
stages (near-duplicates, word counts, token ids) work on the dictionary and the indices. Joining the chunks restores the
text.
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
    """Sentences as dictionary indices.

    Attributes:
        dictionary: the distinct chunks, in order of first occurrence.
        codes: int32 of [chunks], the index of each chunk in the dictionary.
        lengths: int64 of [sentences], the number of chunks per sentence.
    """

    dictionary: list[str]
    codes: Array
    lengths: Array


def split_chunks(sentences: Sequence[str]) -> Chunks:
    """Split clean sentences: no line breaks, no space at either end, and a single plain space between chunks."""
    if not sentences:
        return Chunks([], np.zeros(0, np.int32), np.zeros(0, np.int64))
    raw = ("\n".join(sentences) + "\n").encode()
    characters = np.frombuffer(raw, np.uint8)
    # Each chunk keeps its trailing separator, so the chunks are contiguous and nothing is copied.
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

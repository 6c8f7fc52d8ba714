"""Split printable ASCII text into BERT's words, many chunks at a time, with NumPy.

On printable ASCII, BERT's pre-tokenizer is simple: runs of letters and digits are words, and each other character is a
separate word. Nine in ten chunks of English text are of this kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]

_LETTER, _MARK, _GAP, _OTHER = 0, 1, 2, 3
_CLASS = np.full(256, _OTHER, np.uint8)
_CLASS[33:127] = _MARK
_CLASS[10] = _GAP
for _character in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz":
    _CLASS[_character] = _LETTER


def split_plain(chunks: Sequence[str], *, lowercase: bool) -> tuple[Array, pa.DictionaryArray, Array]:
    """Split the chunks that are printable ASCII into words.

    Args:
        chunks: texts without white space.

    Returns:
        bool of [chunks]: which chunks are printable ASCII;
        the words of these chunks, concatenated and dictionary-encoded;
        int64 of [printable ASCII chunks]: the number of words per chunk.
    """
    raw = "\n".join(chunks).encode()
    if not chunks:
        return np.zeros(0, bool), pa.array([], pa.string()).dictionary_encode(), np.zeros(0, np.int64)
    if lowercase:
        raw = raw.lower()  # lowercases ASCII only
    characters = np.frombuffer(raw, np.uint8)
    kinds = _CLASS[characters]
    chunk_of = np.cumsum(kinds == _GAP)
    plain = np.ones(len(chunks), bool)
    plain[chunk_of[kinds == _OTHER]] = False
    letters = kinds == _LETTER
    if not plain.all():
        inside = plain[chunk_of]
        letters &= inside
        begins = (kinds == _MARK) & inside
    else:
        begins = kinds == _MARK
    body = letters | begins
    begins[:1] |= letters[:1]
    begins[1:] |= letters[1:] & ~letters[:-1]
    # Without all other characters the words are contiguous; a word ends where the next one begins.
    starts = np.flatnonzero(begins[body])
    offsets = np.append(starts, np.count_nonzero(body)).astype(np.int32)
    data = pa.py_buffer(characters[body].tobytes())
    words = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), data)
    counts = np.bincount(chunk_of[begins], minlength=len(chunks))
    return plain, words.dictionary_encode(), counts[plain]

"""Sentences to ids: exactly those of the stock tokenizer, several times faster.

White space is a border for BERT's normaliser and pre-tokeniser, so the ids of a sentence are those of its chunks in a
row, and the ids of a chunk are those of its words. A corpus repeats both: chunks come as numbers with a dictionary
(`corpus.chunks`), the dictionary is cut into words with NumPy, and the stock tokenizer encodes each different word
once. Only what printable ASCII does not cover, one entry in ten of English text, goes to it as a whole chunk.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from bertsmith.runtime.ragged import gather, offsets_of, sums

Array = npt.NDArray[Any]

MEMO_ENTRIES = 500_000
"""Words and chunks that are remembered; beyond that everything is forgotten and learnt again."""

_LETTER, _MARK, _GAP = 0, 1, 2
_CLASS = np.full(256, _GAP, np.uint8)
_CLASS[33:127] = _MARK
for _character in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz":
    _CLASS[_character] = _LETTER


class SentenceEncoder:
    """Encodes corpus text.

    The name of a special token that stands in a text (`[MASK]` in a book about BERT) is read as its characters: in a
    corpus it is a word, not a place to predict.

    Attributes:
        by_chunks: whether the tokenizer reads each chunk by itself (BERT's normaliser and pre-tokeniser, WordPiece, no
            added tokens); only then `encode_chunks` may be used.
    """

    def __init__(self, tokenizer_json: str) -> None:
        """Make an encoder of the content of a tokenizer.json."""
        content = json.loads(tokenizer_json)
        content["truncation"] = content["padding"] = None
        self._tokenizer = Tokenizer.from_str(json.dumps(content))
        self._tokenizer.encode_special_tokens = True
        normalizer = content.get("normalizer") or {}
        self.by_chunks = (
            normalizer.get("type") == "BertNormalizer"
            and (content.get("pre_tokenizer") or {}).get("type") == "BertPreTokenizer"
            and content["model"].get("type") == "WordPiece"
            and all(token.get("special") for token in content.get("added_tokens") or [])
        )
        self._lowercase = bool(normalizer.get("lowercase"))
        self._forget()

    def _forget(self) -> None:
        self._places: dict[str, int] = {}
        self._ids, self._lengths = array("I"), array("I")

    def encode(self, sentences: Sequence[str]) -> tuple[Array, Array]:
        """The ids of all sentences in a row and the number of ids of each, by the stock tokenizer (uint32)."""
        encodings = self._tokenizer.encode_batch_fast(list(sentences), add_special_tokens=False)
        lists = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, lists), dtype=np.uint32, count=len(lists))
        ids = np.fromiter(
            (token for some in lists for token in some), dtype=np.uint32, count=int(lengths.sum(dtype=np.int64))
        )
        return ids, lengths

    def encode_chunks(self, dictionary: Sequence[str]) -> tuple[Array, Array]:
        """The ids of all entries in a row and the number of ids of each (uint32)."""
        if len(self._places) > MEMO_ENTRIES:
            self._forget()
        plain = np.fromiter((chunk.isascii() and chunk.isprintable() for chunk in dictionary), bool, len(dictionary))
        words, words_of_entry = self._words([chunk for chunk, ascii in zip(dictionary, plain, strict=True) if ascii])
        others = [chunk for chunk, ascii in zip(dictionary, plain, strict=True) if not ascii]
        distinct = words.dictionary.to_pylist()
        self._learn([*distinct, *others])
        places = np.fromiter(map(self._places.__getitem__, distinct), np.int64, len(distinct))[words.indices.to_numpy()]
        # An entry is a list of units: its words, or itself.
        units = np.ones(len(dictionary), np.int64)
        units[plain] = words_of_entry
        starts = offsets_of(units)[:-1]
        unit_places = np.zeros(int(units.sum()), np.int64)
        unit_places[starts[~plain]] = np.fromiter(map(self._places.__getitem__, others), np.int64, len(others))
        is_word = np.repeat(plain, units)
        unit_places[is_word] = places
        all_ids = np.frombuffer(self._ids, np.uint32)
        all_lengths = np.frombuffer(self._lengths, np.uint32)
        all_starts = offsets_of(all_lengths)[:-1]
        lengths = all_lengths[unit_places]
        ids = gather(all_ids, all_starts[unit_places], lengths.astype(np.int64))
        return ids.copy(), sums(lengths, units).astype(np.uint32)

    def _learn(self, texts: Sequence[str]) -> None:
        """Encode what is not known yet."""
        known = self._places
        new = [text for text in texts if text not in known]
        if not new:
            return
        ids, lengths = self.encode(new)
        first = len(self._lengths)
        known.update(zip(new, range(first, first + len(new)), strict=True))
        self._ids.frombytes(ids.tobytes())
        self._lengths.frombytes(lengths.tobytes())

    def _words(self, chunks: list[str]) -> tuple[pa.DictionaryArray, Array]:
        """The words of printable ASCII chunks, dictionary-encoded, and the number of words of each chunk.

        BERT's pre-tokeniser: runs of letters and digits, and each other character by itself.
        """
        joined = " ".join(chunks)
        raw = (joined.lower() if self._lowercase else joined).encode()
        characters = np.frombuffer(raw, np.uint8)
        kinds = _CLASS[characters]
        begins = kinds == _MARK
        letters = kinds == _LETTER
        begins[:1] |= letters[:1]
        begins[1:] |= letters[1:] & ~letters[:-1]
        inside = kinds != _GAP
        # The words lie in a row once the gaps are gone; a word ends where the next one begins.
        starts = np.flatnonzero(begins[inside])
        offsets = np.append(starts, np.count_nonzero(inside)).astype(np.int32)
        data = pa.py_buffer(characters[inside].tobytes())
        array = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), data)
        chunk_of_word = np.cumsum(kinds == _GAP)[begins]
        return array.dictionary_encode(), np.bincount(chunk_of_word, minlength=len(chunks))[: len(chunks)]


def encode_sentences(
    encoder: SentenceEncoder, dictionary: Sequence[str], codes: Array, lengths: Array
) -> tuple[Array, Array]:
    """The ids of sentences that are given as chunks, in a row, and the number of ids of each sentence (int64).

    Args:
        dictionary: the different chunks.
        codes: of [chunks], places in the dictionary.
        lengths: of [sentences], the chunks of each.
    """
    if not encoder.by_chunks:
        offsets = offsets_of(lengths).tolist()
        places = codes.tolist()
        texts = [
            " ".join([dictionary[code] for code in places[start:stop]])
            for start, stop in pairwise(offsets)
        ]
        ids, counts = encoder.encode(texts)
        return ids, counts.astype(np.int64)
    entry_ids, entry_lengths = encoder.encode_chunks(dictionary)
    chunk_lengths = entry_lengths.astype(np.int64)[codes]
    starts = offsets_of(entry_lengths)[:-1]
    return gather(entry_ids, starts[codes], chunk_lengths), sums(chunk_lengths, lengths)

"""Encode sentences as ids: exactly those of the stock tokenizer, several times faster.

White space is a boundary for BERT's normalizer and pre-tokenizer. So the ids of a sentence are the ids of its chunks,
concatenated, and the ids of a chunk are the ids of its words. A corpus repeats both. Chunks come as indices with a
dictionary (`corpus.chunks`), NumPy splits the dictionary into words, and each distinct word is split into tokens once.
Chunks that are not printable ASCII, one in ten in English text, are normalized and split by the stock tokenizer's own
components.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from bertsmith.runtime.ragged import gather, offsets_of, sums
from bertsmith.tokenization.ascii_words import split_plain

Array = npt.NDArray[Any]

CHUNK_SEPARATOR = "¦"
"""A sign between chunks that BERT's normalizer leaves unchanged and its pre-tokenizer treats as a letter."""
CHUNKS_AT_ONCE = 2_000
CACHE_ENTRIES = 500_000
"""Maximum number of cached words and chunks; beyond it the cache is cleared."""


class CachedSentenceEncoder:
    """Encodes corpus text, with a cache of words and chunks.

    The name of a special token in a text (`[MASK]` in a book about BERT) is read as ordinary characters: in a corpus it
    is a word, not a position to predict.

    Attributes:
        by_chunks: whether the tokenizer reads each chunk independently (BERT's normalizer, optionally followed by NFC,
            BERT's pre-tokenizer, WordPiece, no added tokens). `encode_chunks` requires this.
    """

    def __init__(self, tokenizer_json: str) -> None:
        """Create an encoder from the content of a tokenizer.json."""
        content = json.loads(tokenizer_json)
        content["truncation"] = content["padding"] = None
        self._tokenizer = Tokenizer.from_str(json.dumps(content))
        self._tokenizer.encode_special_tokens = True
        normalizer, *behind = (content.get("normalizer") or {}).get("normalizers") or [content.get("normalizer") or {}]
        self.by_chunks = (
            normalizer.get("type") == "BertNormalizer"
            and [part.get("type") for part in behind] in ([], ["NFC"])
            and (content.get("pre_tokenizer") or {}).get("type") == "BertPreTokenizer"
            and content["model"].get("type") == "WordPiece"
            and all(token.get("special") for token in content.get("added_tokens") or [])
        )
        self._lowercase = bool(normalizer.get("lowercase"))
        if self.by_chunks:
            model = content["model"]
            self._vocabulary: dict[str, int] = model["vocab"]
            self._unknown = self._vocabulary[model["unk_token"]]
            self._prefix: str = model["continuing_subword_prefix"]
            self._longest: int = model["max_input_chars_per_word"]
            self._longest_piece = max(map(len, self._vocabulary))
        self._forget()

    def _forget(self) -> None:
        self._index_of: dict[str, int] = {}
        self._ids, self._lengths = array("I"), array("I")

    def encode(self, sentences: Sequence[str]) -> tuple[Array, Array]:
        """Return the concatenated ids of all sentences and the ids per sentence, from the stock tokenizer (uint32)."""
        encodings = self._tokenizer.encode_batch_fast(list(sentences), add_special_tokens=False)
        lists = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, lists), dtype=np.uint32, count=len(lists))
        ids = np.fromiter(
            (token for batch in lists for token in batch), dtype=np.uint32, count=int(lengths.sum(dtype=np.int64))
        )
        return ids, lengths

    def encode_chunks(self, dictionary: Sequence[str]) -> tuple[Array, Array]:
        """Return the concatenated ids of all entries and the number of ids per entry (uint32)."""
        if len(self._index_of) > CACHE_ENTRIES:
            self._forget()
        plain, words, words_of_entry = split_plain(dictionary, lowercase=self._lowercase)
        others = [dictionary[index] for index in np.flatnonzero(~plain).tolist()]
        distinct = words.dictionary.to_pylist()
        self._cache_words(distinct)
        self._cache_chunks(others)
        indices = np.fromiter(map(self._index_of.__getitem__, distinct), np.int64, len(distinct))[
            words.indices.to_numpy()
        ]
        # An entry consists of units: its words, or the entry itself.
        units = np.ones(len(dictionary), np.int64)
        units[plain] = words_of_entry
        starts = offsets_of(units)[:-1]
        unit_indices = np.zeros(int(units.sum()), np.int64)
        unit_indices[starts[~plain]] = np.fromiter(map(self._index_of.__getitem__, others), np.int64, len(others))
        is_word = np.repeat(plain, units)
        unit_indices[is_word] = indices
        all_ids = np.frombuffer(self._ids, np.uint32)
        all_lengths = np.frombuffer(self._lengths, np.uint32)
        all_starts = offsets_of(all_lengths)[:-1]
        lengths = all_lengths[unit_indices]
        ids = gather(all_ids, all_starts[unit_indices], lengths.astype(np.int64))
        return ids.copy(), sums(lengths, units).astype(np.uint32)

    def _cache_words(self, words: Sequence[str]) -> None:
        """Cache the ids of new words of BERT's pre-tokenizer."""
        known, ids, lengths = self._index_of, self._ids, self._lengths
        for word in words:
            if word not in known:
                found = self._pieces(word)
                known[word] = len(lengths)
                ids.extend(found)
                lengths.append(len(found))

    def _cache_chunks(self, chunks: Sequence[str]) -> None:
        """Cache the ids of new whole chunks, normalized and split by the stock tokenizer."""
        new = [chunk for chunk in chunks if chunk not in self._index_of]
        for start in range(0, len(new), CHUNKS_AT_ONCE):
            batch = new[start : start + CHUNKS_AT_ONCE]
            separately = any(CHUNK_SEPARATOR in chunk for chunk in batch)
            joined = batch if separately else [f" {CHUNK_SEPARATOR} ".join(batch)]
            lists: list[list[int]] = [[]]
            for text in joined:
                normal = self._tokenizer.normalizer.normalize_str(text)
                for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(normal):
                    if word == CHUNK_SEPARATOR and not separately:
                        lists.append([])
                    else:
                        lists[-1].extend(self._pieces(word))
                if separately:
                    lists.append([])
            for chunk, found in zip(batch, lists, strict=False):
                self._index_of[chunk] = len(self._lengths)
                self._ids.extend(found)
                self._lengths.append(len(found))

    def _pieces(self, word: str) -> list[int]:
        """Return the ids of a word by longest match (Devlin et al. 2019, `WordpieceTokenizer`)."""
        whole = self._vocabulary.get(word)
        if whole is not None and len(word) <= self._longest:
            return [whole]
        if len(word) > self._longest:
            return [self._unknown]
        pieces = []
        start, prefix = 0, ""
        while start < len(word):
            end = min(len(word), start + self._longest_piece)
            while end > start:
                found = self._vocabulary.get(prefix + word[start:end])
                if found is not None:
                    break
                end -= 1
            else:
                return [self._unknown]
            pieces.append(found)
            start, prefix = end, self._prefix
        return pieces


class ChunkEncoder:
    """Encodes sentences given as chunks of one dictionary, which is encoded once."""

    def __init__(self, encoder: CachedSentenceEncoder, dictionary: Sequence[str]) -> None:
        self._encoder, self._dictionary = encoder, dictionary
        if encoder.by_chunks:
            self._ids, lengths = encoder.encode_chunks(dictionary)
            self._starts, self._lengths = offsets_of(lengths)[:-1], lengths.astype(np.int64)

    def encode(self, codes: Array, lengths: Array) -> tuple[Array, Array]:
        """Return the concatenated ids of the sentences and the number of ids per sentence (int64).

        Args:
            codes: of [chunks], dictionary indices.
            lengths: of [sentences], number of chunks per sentence.
        """
        if self._encoder.by_chunks:
            counts = self._lengths[codes]
            return gather(self._ids, self._starts[codes], counts), sums(counts, lengths)
        indices = codes.tolist()
        texts = [
            " ".join([self._dictionary[code] for code in indices[start:stop]])
            for start, stop in pairwise(offsets_of(lengths).tolist())
        ]
        ids, tokens = self._encoder.encode(texts)
        return ids, tokens.astype(np.int64)

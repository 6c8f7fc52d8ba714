"""Shards: cleaned documents as sentences of chunk indices, in files of similar size.

A shard holds everything that later stages need from its block: ids, paragraph and sentence borders, chunk indices with
their dictionary, and hashes of documents and paragraphs. Shards exist only in the work folder and are removed with it.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.errors import DataError
from bertsmith.runtime.files import atomic_write
from bertsmith.runtime.ragged import offsets_of, sums

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Shard:
    """Documents, numbered from 0 within the shard. Paragraphs, sentences and chunks are numbered across all its
    documents.

    Attributes:
        ids: of [documents].
        held_out: bool of [documents], by a hash of the id or a list of ids.
        digests: uint64 of [documents], hash of the cleaned text.
        paragraphs: int64 of [documents], number of paragraphs per document.
        paragraph_hashes: uint64 of [paragraphs]; 0 for paragraphs that are too short to compare.
        sentences: int64 of [paragraphs], number of sentences per paragraph.
        lengths: int64 of [sentences], number of chunks per sentence.
        codes: int32 of [chunks], dictionary indices.
        dictionary: the distinct chunks.
    """

    ids: list[str]
    held_out: Array
    digests: Array
    paragraphs: Array
    paragraph_hashes: Array
    sentences: Array
    lengths: Array
    codes: Array
    dictionary: list[str]

    @cached_property
    def paragraph_offsets(self) -> Array:
        """int64 of [documents + 1], the first paragraph of each document."""
        return offsets_of(self.paragraphs)

    @cached_property
    def sentence_offsets(self) -> Array:
        """int64 of [paragraphs + 1], the first sentence of each paragraph."""
        return offsets_of(self.sentences)

    @cached_property
    def chunk_offsets(self) -> Array:
        """int64 of [sentences + 1], the first chunk of each sentence."""
        return offsets_of(self.lengths)

    @cached_property
    def document_sentences(self) -> Array:
        """int64 of [documents + 1], the first sentence of each document."""
        return self.sentence_offsets[self.paragraph_offsets]

    @cached_property
    def document_chunks(self) -> Array:
        """int64 of [documents + 1], the first chunk of each document."""
        return self.chunk_offsets[self.document_sentences]

    def words_of_sentences(self, words_of_chunk: Array) -> Array:
        """int64 of [sentences], the number of words per sentence, from the number of words per dictionary entry."""
        return sums(words_of_chunk[self.codes], self.lengths)

    def texts(self, start: int, stop: int) -> list[str]:
        """Return the text of sentences `start` to `stop`."""
        found = []
        for sentence in range(start, stop):
            codes = self.codes[self.chunk_offsets[sentence] : self.chunk_offsets[sentence + 1]]
            found.append(" ".join(self.dictionary[code] for code in codes.tolist()))
        return found


def write_shard(path: Path, shard: Shard) -> None:
    """Write a shard atomically."""
    arrays = {name: getattr(shard, name) for name in _NUMBERS}
    # Chunks contain no white space, so lines separate them; ids may contain anything, so they are JSON.
    arrays["ids"] = np.frombuffer(json.dumps(shard.ids).encode(), np.uint8)
    arrays["dictionary"] = np.frombuffer("".join(f"{chunk}\n" for chunk in shard.dictionary).encode(), np.uint8)
    with atomic_write(path) as temporary_path, temporary_path.open("wb") as file:
        np.savez(file, **arrays)


_NUMBERS = ("held_out", "digests", "paragraphs", "paragraph_hashes", "sentences", "lengths", "codes")


def read_arrays(path: Path, *names: str) -> list[Array]:
    """Read the named arrays of an .npz file. Raises DataError if the file is missing or truncated."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}). Try: run prepare again without --resume") from None


def read_shard(path: Path) -> Shard:
    """Read a shard from its file."""
    ids, dictionary, *numbers = read_arrays(path, "ids", "dictionary", *_NUMBERS)
    values = dict(zip(_NUMBERS, numbers, strict=True))
    return Shard(ids=json.loads(ids.tobytes()), dictionary=dictionary.tobytes().decode().split("\n")[:-1], **values)


def read_ids_of_shard(path: Path) -> list[str]:
    """Read the document ids of a shard."""
    ids: list[str] = json.loads(read_arrays(path, "ids")[0].tobytes())
    return ids

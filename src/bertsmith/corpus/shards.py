"""Shards: cleaned documents as sentences of chunk numbers, in files of an even size.

A shard holds all that later stages need of its block: the ids, the borders of paragraphs and sentences, the chunks as
numbers with their dictionary, the hashes of documents and paragraphs. It is what lies between reading and the STORE,
and is removed with the work folder.
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
    """Documents, numbered from 0 in the shard; so are paragraphs, sentences and chunks through all documents.

    Attributes:
        ids: of [documents].
        held_out: bool of [documents], by the hash of the id or a list of ids.
        digests: uint64 of [documents], the hash of the cleaned text.
        paragraphs: int64 of [documents], the paragraphs of each.
        paragraph_hashes: uint64 of [paragraphs]; 0 for one too short to be compared.
        sentences: int64 of [paragraphs], the sentences of each.
        lengths: int64 of [sentences], the chunks of each.
        codes: int32 of [chunks], places in the dictionary.
        dictionary: the different chunks.
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
        """int64 of [sentences]: the words of each, from the number of words of each dictionary entry."""
        return sums(words_of_chunk[self.codes], self.lengths)

    def texts(self, start: int, stop: int) -> list[str]:
        """The text of sentences start to stop."""
        found = []
        for sentence in range(start, stop):
            codes = self.codes[self.chunk_offsets[sentence] : self.chunk_offsets[sentence + 1]]
            found.append(" ".join(self.dictionary[code] for code in codes.tolist()))
        return found


def write_shard(path: Path, shard: Shard) -> None:
    """Write a shard, whole or not at all."""
    arrays = {name: getattr(shard, name) for name in _NUMBERS}
    # A chunk holds no line break, because it is what stands between white space; an id may hold anything.
    arrays["ids"] = np.frombuffer(json.dumps(shard.ids).encode(), np.uint8)
    arrays["dictionary"] = np.frombuffer("".join(f"{chunk}\n" for chunk in shard.dictionary).encode(), np.uint8)
    with atomic_write(path) as aside, aside.open("wb") as file:
        np.savez(file, **arrays)


_NUMBERS = ("held_out", "digests", "paragraphs", "paragraph_hashes", "sentences", "lengths", "codes")


def read_arrays(path: Path, *names: str) -> list[Array]:
    """Some of the arrays of an .npz file; the others are not read. Raises DataError where it is missing or cut off."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}); prepare again without --resume") from None


def read_shard(path: Path) -> Shard:
    """A shard from its file."""
    ids, dictionary, *numbers = read_arrays(path, "ids", "dictionary", *_NUMBERS)
    values = dict(zip(_NUMBERS, numbers, strict=True))
    return Shard(ids=json.loads(ids.tobytes()), dictionary=dictionary.tobytes().decode().split("\n")[:-1], **values)


def read_ids_of_shard(path: Path) -> list[str]:
    """The ids of a shard's documents."""
    ids: list[str] = json.loads(read_arrays(path, "ids")[0].tobytes())
    return ids

"""The token store: a folder of token ids, written once, read memory-mapped.

    STORE/
      manifest.json            options, counts, drops by reason, checksums, versions; written last
      tokenizer/               a Hugging Face tokenizer folder
      unigram.json             how often each id occurs in the training part
      dataset_dict.json        with the files below, what `datasets.load_from_disk(STORE)` opens
      train/, held_out/        data-00000-of-00001.arrow, dataset_info.json, state.json

A row is a piece of a document: its `document_id`, its `input_ids` (uint16 below 65,536 entries, else uint32), its
`sentence_lengths`, and `first_sentence`, the position of its first sentence in the document (a document whose middle
is held out leaves two pieces in the training part). Nothing that can be derived is stored: pairs, masks, types and
padding are made when a batch is. Two bytes a token, where a table of int64 ids, types and masks takes twenty-four.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bertsmith.errors import DataError
from bertsmith.runtime.files import disk_errors, read_json, write_json

FORMAT = 1
TRAIN = "train"
HELD_OUT = "held_out"
DATA_FILE = "data-00000-of-00001.arrow"
TOKENS_A_BATCH = 1 << 22

Array = npt.NDArray[Any]


def id_dtype(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """The narrowest type that holds every id."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


@dataclass(frozen=True)
class Piece:
    """A run of sentences of one document, as ids."""

    document_id: str
    first_sentence: int
    ids: Array
    lengths: Array


class PartWriter:
    """Writes the Arrow file of one part; rows are gathered to batches of some four million tokens."""

    def __init__(self, store: Path, part: str, vocab_size: int) -> None:
        self.folder, self.part = store / part, part
        self.dtype = id_dtype(vocab_size)
        ids = pa.from_numpy_dtype(self.dtype)
        features = {
            "document_id": {"dtype": "string", "_type": "Value"},
            "first_sentence": {"dtype": "uint32", "_type": "Value"},
            "input_ids": {"feature": {"dtype": str(ids), "_type": "Value"}, "_type": "List"},
            "sentence_lengths": {"feature": {"dtype": "uint32", "_type": "Value"}, "_type": "List"},
        }
        self.schema = pa.schema(
            [
                pa.field("document_id", pa.string()),
                pa.field("first_sentence", pa.uint32()),
                pa.field("input_ids", pa.list_(ids)),
                pa.field("sentence_lengths", pa.list_(pa.uint32())),
            ],
            metadata={"huggingface": json.dumps({"info": {"features": features}})},
        )
        self.features = features
        self.pieces: list[Piece] = []
        self.waiting = self.documents = self.sentences = self.tokens = 0
        self.unigram = np.zeros(vocab_size, dtype=np.int64)
        self.path = self.folder / DATA_FILE
        with disk_errors(self.path):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.sink = pa.OSFile(str(self.path), "wb")
            self.writer = pa.ipc.new_stream(self.sink, self.schema)

    def add(self, piece: Piece) -> None:
        """Append a piece; sentences of no token, and a piece of none, are left out."""
        if not len(piece.ids):
            return
        piece = Piece(piece.document_id, piece.first_sentence, piece.ids, piece.lengths[piece.lengths > 0])
        self.pieces.append(piece)
        self.waiting += len(piece.ids)
        self.documents += 1
        self.sentences += len(piece.lengths)
        self.tokens += len(piece.ids)
        self.unigram += np.bincount(piece.ids, minlength=len(self.unigram))
        if self.waiting >= TOKENS_A_BATCH:
            self._flush()

    def _flush(self) -> None:
        def lists(arrays: list[Array], dtype: Any) -> pa.ListArray:
            offsets = np.concatenate(([0], np.cumsum([len(item) for item in arrays]))).astype(np.int32)
            values = np.concatenate(arrays).astype(dtype) if arrays else np.zeros(0, dtype)
            return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))

        if not self.pieces:
            return
        batch = pa.record_batch(
            [
                pa.array([piece.document_id for piece in self.pieces], pa.string()),
                pa.array([piece.first_sentence for piece in self.pieces], pa.uint32()),
                lists([piece.ids for piece in self.pieces], self.dtype),
                lists([piece.lengths for piece in self.pieces], np.uint32),
            ],
            schema=self.schema,
        )
        with disk_errors(self.path):
            self.writer.write_batch(batch)
        self.pieces, self.waiting = [], 0

    def close(self) -> dict[str, int]:
        """Write what is left and the files that `datasets` wants; returns the part's counts."""
        self._flush()
        with disk_errors(self.path):
            self.writer.close()
            self.sink.close()
        write_json(self.folder / "dataset_info.json", {"features": self.features, "splits": {}})
        write_json(
            self.folder / "state.json",
            {
                "_data_files": [{"filename": DATA_FILE}],
                "_fingerprint": f"bertsmith-{self.part}-{self.tokens:x}",
                "_format_columns": None,
                "_format_kwargs": {},
                "_format_type": None,
                "_output_all_columns": False,
                "_split": self.part,
            },
        )
        return {"documents": self.documents, "sentences": self.sentences, "tokens": self.tokens}


class TokenPart:
    """One part of a store, memory-mapped; tokens and sentences are numbered from 0 through the whole part.

    Attributes:
        sentence_offsets: int64 of [sentences + 1], the first token of each sentence.
        document_offsets: int64 of [pieces + 1], the first sentence of each piece.
        group_of_piece: int64 of [pieces], a number for each document; the pieces of one document stand together.
        first_sentences: int64 of [pieces], where each piece begins in its document, in sentences.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._map = pa.memory_map(str(path))
            table = pa.ipc.open_stream(self._map).read_all()
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path}: cannot be read as an Arrow stream ({error}); prepare the STORE again") from None
        self.path = path
        ids, lengths = table.column("input_ids").chunks, table.column("sentence_lengths").chunks
        self._chunks: list[Array] = [_values(chunk) for chunk in ids]
        self._empty = np.zeros(0, table.schema.field("input_ids").type.value_type.to_pandas_dtype())
        self._chunk_starts = np.concatenate(([0], np.cumsum([len(chunk) for chunk in self._chunks]))).astype(np.int64)
        sentence_lengths = [_values(chunk) for chunk in lengths]
        counts = [np.diff(np.asarray(chunk.offsets)) for chunk in lengths]
        self.sentence_offsets = _offsets(sentence_lengths)
        self.document_offsets = _offsets(counts)
        self.first_sentences = np.asarray(table.column("first_sentence")).astype(np.int64)
        self.document_ids: list[str] = table.column("document_id").to_pylist()
        # Two documents of one id can stand side by side; the second of them begins again.
        same = [name == before for name, before in zip(self.document_ids[1:], self.document_ids, strict=False)]
        changed = ~np.asarray(same, bool) | (np.diff(self.first_sentences) <= 0)
        self.group_of_piece = np.concatenate(([0], np.cumsum(changed))).astype(np.int64)[: self.num_pieces]

    @property
    def num_tokens(self) -> int:
        """Tokens of the part."""
        return int(self.sentence_offsets[-1])

    @property
    def num_sentences(self) -> int:
        """Sentences of the part."""
        return len(self.sentence_offsets) - 1

    @property
    def num_pieces(self) -> int:
        """Pieces of documents in the part."""
        return len(self.document_offsets) - 1

    def tokens(self, start: int, stop: int) -> Array:
        """The ids of tokens start to stop; a view of the file where they lie in one batch of it."""
        if start >= stop:
            return self._empty
        first = int(np.searchsorted(self._chunk_starts, start, side="right")) - 1
        begin = int(self._chunk_starts[first])
        if stop <= int(self._chunk_starts[first + 1]):
            return self._chunks[first][start - begin : stop - begin]
        pieces = []
        while start < stop:
            begin, end = int(self._chunk_starts[first]), int(self._chunk_starts[first + 1])
            pieces.append(self._chunks[first][start - begin : min(stop, end) - begin])
            start, first = min(stop, end), first + 1
        return np.concatenate(pieces)


def _values(chunk: pa.ListArray) -> Array:
    values: Array = chunk.flatten().to_numpy(zero_copy_only=True)
    return values


def _offsets(lengths: Iterable[Array]) -> Array:
    parts = [np.asarray(item, dtype=np.int64) for item in lengths]
    joined = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return np.concatenate(([0], np.cumsum(joined))).astype(np.int64)


class TokenStore:
    """A STORE, opened: its manifest, tokenizer folder, and parts."""

    def __init__(self, folder: str | Path) -> None:
        """Open a STORE. Raises DataError where the folder is none, is unfinished, or a file of it is cut off."""
        self.folder = Path(folder)
        if not self.folder.exists():
            raise DataError(f"{folder}: no such folder; `bertsmith prepare SOURCE --out {folder}` makes a STORE")
        if not is_store(self.folder):
            raise DataError(
                f"{folder}: not a STORE (no manifest.json); `bertsmith prepare SOURCE --out STORE` makes one"
            )
        try:
            self.manifest: dict[str, Any] = read_json(self.folder / "manifest.json")
        except ValueError as error:
            raise DataError(f"{folder}/manifest.json: not JSON ({error}); prepare the STORE again") from None
        if self.manifest.get("format") != FORMAT:
            raise DataError(
                f"{folder}: format {self.manifest.get('format')}, this version reads {FORMAT}; prepare it again"
            )
        for name, facts in self.manifest["files"].items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else None
            if size != facts["bytes"]:
                found = "is missing" if size is None else f"has {size:,} bytes"
                raise DataError(f"{path}: {found}, the manifest says {facts['bytes']:,}; prepare the STORE again")
        self.tokenizer_folder = self.folder / "tokenizer"

    def part(self, name: str) -> TokenPart:
        """The part `train` or `held_out`."""
        return TokenPart(self.folder / name / DATA_FILE)

    def unigram_counts(self) -> Array:
        """int64 of [vocabulary]: how often each id occurs in the training part."""
        return np.asarray(read_json(self.folder / "unigram.json"), dtype=np.int64)

    def checksum(self) -> str:
        """What identifies the data: the checksum of the training part's file."""
        return str(self.manifest["files"][f"{TRAIN}/{DATA_FILE}"]["sha256"])


def is_store(folder: Path) -> bool:
    """Whether a folder is a finished STORE."""
    return (folder / "manifest.json").is_file() and (folder / "dataset_dict.json").is_file()

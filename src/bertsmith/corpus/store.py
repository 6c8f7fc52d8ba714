"""The token store: a folder of token ids, written once, read memory-mapped.

    STORE/
      manifest.json            options, counts, drops by reason, checksums, versions; written last
      tokenizer/               a Hugging Face tokenizer folder
      unigram.json             how often each id occurs in the training part
      dataset_dict.json        with the files below, what `datasets.load_from_disk(STORE)` opens
      train/, held_out/        data-00000-of-00033.arrow and so on, dataset_info.json, state.json

A row is a piece of a document: its `document_id`, its `input_ids` (uint16 below 65,536 entries, else uint32), its
`sentence_lengths`, and `first_sentence`, the position of its first sentence in the document (a document whose middle
is held out leaves two pieces in the training part). Nothing that can be derived is stored: pairs, masks, types and
padding are made when a batch is. Two bytes a token, where a table of int64 ids, types and masks takes twenty-four.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bertsmith.errors import DataError
from bertsmith.records.manifest import FORMAT, MANIFEST, Manifest
from bertsmith.runtime.files import atomic_write, read_json, write_json
from bertsmith.runtime.ragged import offsets_of

TRAIN = "train"
HELD_OUT = "held_out"
TOKENS_A_BATCH = 1 << 22

Array = npt.NDArray[Any]


def data_file(number: int, total: int) -> str:
    """The name of a part's file, as `datasets` names them."""
    return f"data-{number:05d}-of-{total:05d}.arrow"


def id_dtype(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """The narrowest type that holds every id."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


def _features(vocab_size: int) -> dict[str, Any]:
    return {
        "document_id": {"dtype": "string", "_type": "Value"},
        "first_sentence": {"dtype": "uint32", "_type": "Value"},
        "input_ids": {"feature": {"dtype": np.dtype(id_dtype(vocab_size)).name, "_type": "Value"}, "_type": "List"},
        "sentence_lengths": {"feature": {"dtype": "uint32", "_type": "Value"}, "_type": "List"},
    }


def _schema(vocab_size: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("document_id", pa.string()),
            pa.field("first_sentence", pa.uint32()),
            pa.field("input_ids", pa.list_(pa.from_numpy_dtype(id_dtype(vocab_size)))),
            pa.field("sentence_lengths", pa.list_(pa.uint32())),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": _features(vocab_size)}})},
    )


def write_rows(
    path: Path,
    vocab_size: int,
    *,
    ids: Array,
    lengths: Array,
    documents: Array,
    document_ids: Sequence[str],
    sentences: Array,
) -> int:
    """Write one file of a part, whole or not at all; returns the number of its rows.

    A row is a run of sentences that follow each other in one document. Sentences of no token, and rows of none, are
    left out.

    Args:
        ids: of [tokens], in a row.
        lengths: int64 of [sentences], the tokens of each sentence.
        documents: of [sentences], the place of each sentence's document in `document_ids`.
        sentences: of [sentences], its number in the document.
    """
    begins = np.ones(len(lengths), bool)
    begins[1:] = (documents[1:] != documents[:-1]) | (sentences[1:] != sentences[:-1] + 1)
    row_of_sentence = np.cumsum(begins) - 1
    firsts, owners = sentences[begins], documents[begins]
    filled = lengths > 0
    row_lengths = np.bincount(row_of_sentence[filled], minlength=len(firsts)).astype(np.int64)
    row_tokens = np.bincount(row_of_sentence, lengths, minlength=len(firsts)).astype(np.int64)
    kept = row_lengths > 0
    firsts, owners, row_lengths, row_tokens = firsts[kept], owners[kept], row_lengths[kept], row_tokens[kept]
    values, counts = ids.astype(id_dtype(vocab_size)), lengths[filled].astype(np.uint32)
    schema = _schema(vocab_size)
    with atomic_write(path) as aside, pa.ipc.new_stream(str(aside), schema) as writer:
        tokens, sentence_offsets = offsets_of(row_tokens), offsets_of(row_lengths)
        start = 0
        while start < len(firsts):
            # Batches of some four million tokens: a batch is read as one array, and its offsets have 32 bits.
            stop = max(start + 1, int(np.searchsorted(tokens, tokens[start] + TOKENS_A_BATCH)))
            stop = min(stop, len(firsts))
            writer.write_batch(
                pa.record_batch(
                    [
                        pa.array([document_ids[owner] for owner in owners[start:stop].tolist()], pa.string()),
                        pa.array(firsts[start:stop].astype(np.uint32)),
                        _lists(values, tokens[start : stop + 1]),
                        _lists(counts, sentence_offsets[start : stop + 1]),
                    ],
                    schema=schema,
                )
            )
            start = stop
    return len(firsts)


def _lists(values: Array, offsets: Array) -> pa.ListArray:
    first, last = int(offsets[0]), int(offsets[-1])
    return pa.ListArray.from_arrays(pa.array((offsets - first).astype(np.int32)), pa.array(values[first:last]))


def finish_part(folder: Path, files: Sequence[str], *, vocab_size: int, tokens: int) -> None:
    """Write what `datasets` expects next to the files of a part."""
    write_json(folder / "dataset_info.json", {"features": _features(vocab_size), "splits": {}})
    write_json(
        folder / "state.json",
        {
            "_data_files": [{"filename": name} for name in files],
            "_fingerprint": f"bertsmith-{folder.name}-{tokens:x}",
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": folder.name,
        },
    )


class TokenPart:
    """One part of a store, memory-mapped; tokens and sentences are numbered from 0 through the whole part.

    Attributes:
        sentence_offsets: int64 of [sentences + 1], the first token of each sentence.
        document_offsets: int64 of [pieces + 1], the first sentence of each piece.
        document_of_fragment: int64 of [pieces], a number for each document; the pieces of one document stand together.
        first_sentences: int64 of [pieces], where each piece begins in its document, in sentences.
    """

    def __init__(self, folder: Path) -> None:
        """Open the part in a folder. Raises DataError where a file of it is missing or cut off."""
        self.folder = folder
        files = [folder / item["filename"] for item in read_json(folder / "state.json")["_data_files"]]
        table = pa.concat_tables(map(_opened, files))
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
        self.document_of_fragment = np.concatenate(([0], np.cumsum(changed))).astype(np.int64)[: self.num_fragments]

    @property
    def num_tokens(self) -> int:
        """Tokens of the part."""
        return int(self.sentence_offsets[-1])

    @property
    def num_sentences(self) -> int:
        """Sentences of the part."""
        return len(self.sentence_offsets) - 1

    @property
    def num_fragments(self) -> int:
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

    def runs(self, starts: Array, stops: Array) -> Array:
        """The ids of several runs of tokens, joined: those of `tokens(start, stop)` for each pair.

        Args:
            starts, stops: int64 of [runs]; a run may be empty.
        """
        filled = stops > starts
        starts, stops = starts[filled], stops[filled]
        # The batch of the file that each run begins in is found for all of them at once.
        first = np.searchsorted(self._chunk_starts[1:-1], starts, side="right")
        begins = self._chunk_starts[first]
        crosses = stops > self._chunk_starts[first + 1]
        columns = (first, starts - begins, stops - begins, crosses, begins)
        pieces = [
            self._chunks[chunk][start:stop] if not over else self.tokens(start + begin, stop + begin)
            for chunk, start, stop, over, begin in zip(*(column.tolist() for column in columns), strict=True)
        ]
        return np.concatenate([self._empty, *pieces])


def _opened(path: Path) -> pa.Table:
    try:
        return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: cannot be read as an Arrow stream ({error}); prepare the STORE again") from None


def _values(chunk: pa.ListArray) -> Array:
    values: Array = chunk.flatten().to_numpy(zero_copy_only=True)
    return values


def _offsets(lengths: Iterable[Array]) -> Array:
    parts = list(lengths)
    return offsets_of(np.concatenate(parts) if parts else np.zeros(0, np.int64))


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
            content = read_json(self.folder / MANIFEST)
        except ValueError as error:
            raise DataError(f"{folder}/{MANIFEST}: not JSON ({error}); prepare the STORE again") from None
        if isinstance(content, dict) and (found := content.get("format")) != FORMAT:
            raise DataError(f"{folder}: format {found}, this version reads {FORMAT}; prepare it again")
        self.manifest = Manifest.of(content, self.folder / MANIFEST)
        for name, facts in self.manifest.files.items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else None
            if size != facts.bytes:
                problem = "is missing" if size is None else f"has {size:,} bytes"
                raise DataError(f"{path}: {problem}, the manifest says {facts.bytes:,}; prepare the STORE again")
        self.tokenizer_folder = self.folder / "tokenizer"

    def part(self, name: str) -> TokenPart:
        """The part `train` or `held_out`."""
        return TokenPart(self.folder / name)

    def unigram_counts(self) -> Array:
        """int64 of [vocabulary]: how often each id occurs in the training part."""
        return np.asarray(read_json(self.folder / "unigram.json"), dtype=np.int64)

    def checksum(self) -> str:
        """What identifies the data: a checksum of those of the training part's files."""
        sums = [facts.sha256 for name, facts in sorted(self.manifest.files.items()) if _is_data(name)]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def _is_data(name: str) -> bool:
    return name.startswith(f"{TRAIN}/") and name.endswith(".arrow")


def is_store(folder: Path) -> bool:
    """Whether a folder is a finished STORE."""
    return (folder / MANIFEST).is_file() and (folder / "dataset_dict.json").is_file()

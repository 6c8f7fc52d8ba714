"""The token store: a folder of token ids, written once, read memory-mapped.

    STORE/
      manifest.json            options, counts, drops by reason, checksums, versions; written last
      tokenizer/               a Hugging Face tokenizer folder
      unigram.json             how often each id occurs in the training part
      dataset_dict.json        with the files below, makes `datasets.load_from_disk(STORE)` work
      train/, held_out/        data-00000-of-00033.arrow and so on, dataset_info.json, state.json

A row is a fragment of a document: its `document_id`, its `input_ids` (uint16 for up to 65,536 entries, else uint32),
its `sentence_lengths`, and `first_sentence`, the index of its first sentence in the document. If the middle of a
document is held out, the training part has two fragments of it. The store holds no derived data: pairs, masks, segment
types and padding are created with each batch. A token takes two bytes; with int64 ids, types and masks it would take
twenty-four.
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
TOKENS_PER_BATCH = 1 << 22

Array = npt.NDArray[Any]


def data_file(number: int, total: int) -> str:
    """Return the name of a data file as `datasets` names them."""
    return f"data-{number:05d}-of-{total:05d}.arrow"


def id_dtype(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """Return the narrowest type that holds every id."""
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
    """Write one file of a part atomically; return the number of rows.

    A row is a run of consecutive sentences of one document. Empty sentences and empty rows are left out.

    Args:
        ids: of [tokens], concatenated.
        lengths: int64 of [sentences], number of tokens per sentence.
        documents: of [sentences], index of each sentence's document in `document_ids`.
        sentences: of [sentences], index of each sentence in its document.
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
    with atomic_write(path) as temporary_path, pa.ipc.new_stream(str(temporary_path), schema) as writer:
        tokens, sentence_offsets = offsets_of(row_tokens), offsets_of(row_lengths)
        start = 0
        while start < len(firsts):
            # Batches of about four million tokens: a batch is read as one array with 32-bit offsets.
            stop = max(start + 1, int(np.searchsorted(tokens, tokens[start] + TOKENS_PER_BATCH)))
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
    """Write the files that `datasets` expects next to the data files of a part."""
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
    """One part of a store, memory-mapped. Tokens and sentences are numbered from 0 across the whole part.

    Attributes:
        sentence_offsets: int64 of [sentences + 1], the first token of each sentence.
        document_offsets: int64 of [fragments + 1], the first sentence of each fragment.
        document_of_fragment: int64 of [fragments], the number of each fragment's document; fragments of a document are
            adjacent.
        first_sentences: int64 of [fragments], index of each fragment's first sentence in its document.
    """

    def __init__(self, folder: Path) -> None:
        """Open the part in a folder. Raises DataError if one of its files is missing or truncated."""
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
        # Two adjacent documents can have the same id; then the second starts again at a lower sentence index.
        same = [name == before for name, before in zip(self.document_ids[1:], self.document_ids, strict=False)]
        changed = ~np.asarray(same, bool) | (np.diff(self.first_sentences) <= 0)
        self.document_of_fragment = np.concatenate(([0], np.cumsum(changed))).astype(np.int64)[: self.num_fragments]

    @property
    def num_tokens(self) -> int:
        """Number of tokens in the part."""
        return int(self.sentence_offsets[-1])

    @property
    def num_sentences(self) -> int:
        """Number of sentences in the part."""
        return len(self.sentence_offsets) - 1

    @property
    def num_fragments(self) -> int:
        """Number of document fragments in the part."""
        return len(self.document_offsets) - 1

    def tokens(self, start: int, stop: int) -> Array:
        """Return the ids of tokens `start` to `stop`, as a view of the file if they are in a single batch."""
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

    def gather_ranges(self, starts: Array, stops: Array) -> Array:
        """Return the concatenated ids of several token ranges, as `tokens(start, stop)` returns for each.

        Args:
            starts, stops: int64 of [ranges]; a range may be empty.
        """
        filled = stops > starts
        starts, stops = starts[filled], stops[filled]
        # Find the file batch of every range start in one call.
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
        raise DataError(f"{path}: cannot be read as an Arrow stream ({error}). Try: prepare the STORE again") from None


def _values(chunk: pa.ListArray) -> Array:
    values: Array = chunk.flatten().to_numpy(zero_copy_only=True)
    return values


def _offsets(lengths: Iterable[Array]) -> Array:
    parts = list(lengths)
    return offsets_of(np.concatenate(parts) if parts else np.zeros(0, np.int64))


class TokenStore:
    """An open STORE: its manifest, tokenizer folder and parts."""

    def __init__(self, folder: str | Path) -> None:
        """Open a STORE. Raises DataError if the folder is not a STORE, is unfinished, or has a truncated file."""
        self.folder = Path(folder)
        if not self.folder.exists():
            raise DataError(f"{folder}: no such folder, expected a STORE. Try: bertsmith prepare SOURCE --out {folder}")
        if not is_store(self.folder):
            raise DataError(f"{folder}: not a STORE (no manifest.json). Try: bertsmith prepare SOURCE --out STORE")
        try:
            content = read_json(self.folder / MANIFEST)
        except ValueError as error:
            raise DataError(f"{folder}/{MANIFEST}: not JSON ({error}). Try: prepare the STORE again") from None
        if isinstance(content, dict) and (found := content.get("format")) != FORMAT:
            raise DataError(f"{folder}: found format {found}, expected {FORMAT}. Try: prepare the STORE again")
        self.manifest = Manifest.of(content, self.folder / MANIFEST)
        for name, facts in self.manifest.files.items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else None
            if size != facts.bytes:
                found = "no file" if size is None else f"{size:,} bytes"
                raise DataError(
                    f"{path}: found {found}, expected {facts.bytes:,} bytes as in {MANIFEST}. "
                    "Try: prepare the STORE again"
                )
        self.tokenizer_folder = self.folder / "tokenizer"

    def part(self, name: str) -> TokenPart:
        """Return the part `train` or `held_out`."""
        return TokenPart(self.folder / name)

    def unigram_counts(self) -> Array:
        """int64 of [vocabulary]: how often each id occurs in the training part."""
        return np.asarray(read_json(self.folder / "unigram.json"), dtype=np.int64)

    def checksum(self) -> str:
        """Return a checksum that identifies the training data."""
        sums = [facts.sha256 for name, facts in sorted(self.manifest.files.items()) if _is_data(name)]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def _is_data(name: str) -> bool:
    return name.startswith(f"{TRAIN}/") and name.endswith(".arrow")


def is_store(folder: Path) -> bool:
    """Return whether a folder is a finished STORE."""
    return (folder / MANIFEST).is_file() and (folder / "dataset_dict.json").is_file()

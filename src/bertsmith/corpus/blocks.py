"""Blocks: the documents of the input files, regrouped into files of similar size.

Input files come in every size and format. A block is a unit of work: about the same amount of text, however large the
files. The task that cleans a block reads it once and removes it after writing its shard.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bertsmith.corpus.document import Document
from bertsmith.errors import DataError
from bertsmith.runtime.files import atomic_write

_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        # UTF-8 that may contain lone surrogates, because JSON allows them; cleaning removes them.
        pa.field("text", pa.large_binary()),
        pa.field("lines_are_sentences", pa.bool_()),
    ]
)


def write_block(path: Path, documents: list[Document]) -> None:
    """Write documents to a block atomically, one line per paragraph."""
    texts = [
        "\n".join(
            paragraph.replace("\n", " ") if "\n" in paragraph else paragraph for paragraph in document.paragraphs
        ).encode("utf-8", "surrogatepass")
        for document in documents
    ]
    batch = pa.record_batch(
        [
            pa.array([document.id for document in documents], pa.string()),
            pa.array(texts, pa.large_binary()),
            pa.array([document.lines_are_sentences for document in documents], pa.bool_()),
        ],
        schema=_SCHEMA,
    )
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with atomic_write(path) as temporary_path, pa.ipc.new_file(str(temporary_path), _SCHEMA, options=options) as writer:
        writer.write_batch(batch)


def read_block(path: Path) -> Iterator[Document]:
    """Yield the documents of a block in order. Raises DataError if the file is missing or truncated."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            table = reader.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Try: run prepare again without --resume") from None
    columns = (table.column(name) for name in ("id", "text", "lines_are_sentences"))
    for name, raw, sentences in zip(*columns, strict=True):
        text = raw.as_py().decode("utf-8", "surrogatepass")
        yield Document(name.as_py(), tuple(text.split("\n")) if text else (), sentences.as_py())

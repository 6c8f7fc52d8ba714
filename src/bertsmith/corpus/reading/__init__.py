"""Reading: turn files, folders, URLs and datasets into documents.

`find_files` finds and names the files of the SOURCEs; `read_documents` reads one of them. Libraries for a single format
(pyarrow, datasets, trafilatura, markdown-it, fsspec) are imported only when a file of that format is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.columns import TEXT_KEYS
from bertsmith.corpus.reading.hub_datasets import read_data_set
from bertsmith.corpus.reading.jsonl import read_jsonl
from bertsmith.corpus.reading.long_documents import StreamedDocument, split_long_documents
from bertsmith.corpus.reading.markup import read_html, read_markdown
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.parquet import read_parquet
from bertsmith.corpus.reading.plain_text import detect_documents, read_plain_text
from bertsmith.corpus.reading.sources import COMPRESSIONS, FORMS, SourceFile, find_files
from bertsmith.corpus.reading.tables import read_csv, read_tsv

__all__ = [
    "COMPRESSIONS",
    "FORMS",
    "TEXT_KEYS",
    "ReadingNotes",
    "ReadingOptions",
    "SourceFile",
    "detect_documents",
    "find_files",
    "read_documents",
]

_Reader = Callable[
    [SourceFile, ReadingOptions, ReadingNotes], Iterator[Document] | Iterator[Document | StreamedDocument]
]

_READERS: dict[str, _Reader] = {
    ".txt": read_plain_text,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".md": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    "hf": read_data_set,
}


def read_documents(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the documents of one file, in order. A file without text is one document without paragraphs.

    A document of more than 8,000,000 characters is split into several documents (see `reading.long_documents`). Raises
    DataError with the file, the position, and what was found there.
    """
    notes.position = 0
    return split_long_documents(_READERS[file.form](file, options, notes), file.name, notes)

"""`.parquet`: one document per row, with a batch of rows in memory. Only the text and id columns are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.columns import ID_KEY, document_of, text_column
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.corpus.reading.unpacking import damaged_file_error, open_source
from bertsmith.errors import DataError

ROWS = 256


def read_parquet(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the documents of a Parquet file; their ids are the column `id`, or `name#n`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_source(file) as raw:
        if file.size == 0:
            yield Document(f"{file.name}#0", ())
            return
        number = 0
        try:
            with pq.ParquetFile(raw) as table:
                names = table.schema_arrow.names
                text = text_column(names, options.text_column, file.location, table=True)
                _check_type(file, text, table.schema_arrow.field(text).type)
                columns = [text, *((ID_KEY,) if names.count(ID_KEY) == 1 and text != ID_KEY else ())]
                for batch in table.iter_batches(batch_size=ROWS, columns=columns):
                    texts = batch.column(text).to_pylist()
                    ids = batch.column(ID_KEY).to_pylist() if ID_KEY in columns else [None] * len(texts)
                    notes.position = (file.size or 0) * (number + len(texts)) // table.metadata.num_rows
                    for value, identifier in zip(texts, ids, strict=True):
                        where = f"{file.location}: row {number}: column {text!r}"
                        yield document_of(value, identifier, fallback=f"{file.name}#{number}", where=where)
                        number += 1
        except UnicodeDecodeError as error:
            raise DataError(f"{file.location}: after row {number}: found text that is not UTF-8: {error}") from None
        except (pa.ArrowException, OSError) as error:
            raise damaged_file_error(file, error) from None


def _check_type(file: SourceFile, column: str, kind: Any) -> None:
    import pyarrow.types as types

    value = kind.value_type if types.is_dictionary(kind) else kind
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    bytes_ = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    checks = (*texts, *bytes_)
    if not any(check(value) for check in checks):
        raise DataError(f"{file.location}: column {column!r} holds {kind}, expected strings")

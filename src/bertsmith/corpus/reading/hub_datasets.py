"""`hf:NAME`: a dataset on the hub or in a local folder, streamed with the datasets library.

A local folder needs no connection. For a dataset on the hub, one request checks that the hub can be reached, because
its client would retry for half a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import shorten
from typing import Any

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.columns import ID_KEY, document_of, text_column
from bertsmith.corpus.reading.data_set_names import DataSetName
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.errors import DataError
from bertsmith.runtime.hub import unreachable


def read_data_set(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the documents of a split, one per row; their ids are the column `id`, or `name#n`.

    Raises DataError with what was tried if the dataset, configuration, split or text column is missing, or if the hub
    cannot be reached.
    """
    rows = load_split(file.location)
    names = rows.column_names
    text: str | None = None
    if names is not None:
        text = text_column(names, options.text_column, file.location, table=True)
        rows = rows.select_columns([text, *((ID_KEY,) if ID_KEY in names and text != ID_KEY else ())])
    records = iter(rows)
    number = 0
    while (record := next_record(records, file.location, number)) is not None:
        if text is None:
            text = text_column(record, options.text_column, file.location, table=True)
        where = f"{file.location}: row {number}: column {text!r}"
        yield document_of(record.get(text), record.get(ID_KEY), fallback=f"{file.name}#{number}", where=where)
        number += 1


def next_record(records: Iterator[dict[str, Any]], location: str, number: int) -> dict[str, Any] | None:
    """Return the next row, or None at the end. Raises DataError with the row number if it cannot be read."""
    try:
        return next(records, None)
    except Exception as error:  # noqa: BLE001 (whatever the files of a dataset and the network bring)
        cause = error.__cause__ or error
        raise DataError(f"{location}: row {number} cannot be read: {_in_one_line(cause)}") from None


def load_split(location: str) -> Any:
    """Load the split of `hf:NAME:SPLIT` as an `IterableDataset`.

    Raises DataError if it does not exist or cannot be reached.
    """
    name = DataSetName.of(location)
    if name.folder is None:
        _reach_hub(location, name)
    import datasets

    tried = []
    for path, config in name.candidates:
        candidate = f"{path}" + (f" (configuration {config})" if config else "")
        try:
            rows = datasets.load_dataset(path, config, split=name.split, streaming=True)
            # pyarrow reads ahead to the end of a shard; resharding makes each row group of a Parquet file a shard. On
            # the hub, resharding would open every file before the first row.
            return rows.reshard() if name.folder is not None else rows
        except (datasets.exceptions.DatasetNotFoundError, ConnectionError) as error:
            tried.append(f"{candidate}: {_in_one_line(error)}")
        except Exception as error:  # noqa: BLE001 (whatever the files of a dataset and the network bring)
            raise DataError(f"{location}: {candidate}, split {name.split!r}: {_in_one_line(error)}") from None
    raise DataError(f"{location}: this dataset could not be loaded. Tried " + "; ".join(tried) + _ADVICE)


_ADVICE = ". Try: check the name and the connection, or use a local folder: hf:./FOLDER"


def _reach_hub(location: str, name: DataSetName) -> None:
    """Check once that the hub answers. In offline mode skip the check: datasets uses its cache."""
    from huggingface_hub.constants import ENDPOINT

    reason = unreachable()
    if reason is not None:
        candidates = " or ".join(
            path + (f" (configuration {config})" if config else "") for path, config in name.candidates
        )
        raise DataError(
            f"{location}: found no such folder, and the hub ({ENDPOINT}) cannot be reached for the dataset "
            f"{candidates}: {reason}{_ADVICE}"
        )


def _in_one_line(error: BaseException) -> str:
    return shorten(str(error) or type(error).__name__, 400).rstrip(".")

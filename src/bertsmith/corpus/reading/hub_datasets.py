"""`hf:NAME`: a data set of the hub or in a local folder, through the library datasets, streamed.

A local folder is read without a connection. For the hub it is asked once whether it can be reached: its client alone
would try for half a minute.
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
    """The documents of a split, a row each; their ids are the column `id`, or `name#n`.

    Raises DataError where the data set, its configuration, its split or the column of the text is not there, or the
    hub cannot be reached; the message names what was tried.
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
    """The next row, whose number is for the DataError that is raised where it cannot be read; None at the end."""
    try:
        return next(records, None)
    except Exception as error:  # noqa: BLE001 (whatever the files of a data set and the network bring)
        cause = error.__cause__ or error
        raise DataError(f"{location}: row {number} cannot be read: {_in_one_line(cause)}") from None


def load_split(location: str) -> Any:
    """The split of `hf:NAME:SPLIT` as an `IterableDataset`; DataError where it is not there or cannot be reached."""
    name = DataSetName.of(location)
    if name.folder is None:
        _reach_hub(location, name)
    import datasets

    tried = []
    for path, config in name.candidates:
        what = f"{path}" + (f" (configuration {config})" if config else "")
        try:
            rows = datasets.load_dataset(path, config, split=name.split, streaming=True)
            # pyarrow reads ahead to the end of a part; this makes parts of the row groups of a parquet file. At the
            # hub each file would be opened for it before the first row.
            return rows.reshard() if name.folder is not None else rows
        except (datasets.exceptions.DatasetNotFoundError, ConnectionError) as error:
            tried.append(f"{what}: {_in_one_line(error)}")
        except Exception as error:  # noqa: BLE001 (whatever the files of a data set and the network bring)
            raise DataError(f"{location}: {what}, split {name.split!r}: {_in_one_line(error)}") from None
    raise DataError(f"{location}: no such data set could be loaded. Tried " + "; ".join(tried) + _ADVICE)


_ADVICE = ". Check the name and the connection, or give a local folder: hf:./FOLDER"


def _reach_hub(location: str, name: DataSetName) -> None:
    """Ask the hub for a sign of life, once. In offline mode nothing is asked: datasets answers from its cache."""
    from huggingface_hub.constants import ENDPOINT

    reason = unreachable()
    if reason is not None:
        wanted = " or ".join(
            path + (f" (configuration {config})" if config else "") for path, config in name.candidates
        )
        raise DataError(
            f"{location}: there is no such folder, and the hub ({ENDPOINT}) cannot be reached for the data set "
            f"{wanted}: {reason}{_ADVICE}"
        )


def _in_one_line(error: BaseException) -> str:
    return shorten(str(error) or type(error).__name__, 400).rstrip(".")

"""`.jsonl` and `.ndjson`: one JSON object per line, streamed. Blank lines are skipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.cells import describe_json_error, kind, unique_keys
from bertsmith.corpus.reading.columns import ID_KEY, document_of, text_column
from bertsmith.corpus.reading.decoding import read_text_buffers, split_lines
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.errors import DataError


def read_jsonl(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the documents of JSON lines; their ids are the key `id`, or `name#n`."""
    number = 0
    for line_number, line in enumerate(split_lines(read_text_buffers(file, options, notes)), start=1):
        if not line or line.isspace():
            continue
        where = f"{file.location}: line {line_number}"
        record = _record(line, where)
        name = text_column(record, options.text_column, where, table=False)
        yield document_of(
            record[name], record.get(ID_KEY), fallback=f"{file.name}#{number}", where=f"{where}: {name!r}"
        )
        number += 1
    if number == 0:
        yield Document(f"{file.name}#0", ())


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        # JSON allows no raw control characters in strings; accept a stray NUL, which cleaning removes.
        record = json.loads(line, strict="\0" not in line, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not JSON ({describe_json_error(error)}); the line begins with {line.strip()[:40]!r}"
        ) from None
    except (ValueError, RecursionError) as error:  # a number with thousands of digits, deeply nested lists
        raise DataError(f"{where}: this JSON cannot be read: {error}") from None
    if not isinstance(record, dict):
        raise DataError(f'{where}: found {kind(record)}, expected an object such as {{"text": "..."}}')
    return record

"""`.csv` and `.tsv`: a header, then a document a row, streamed.

CSV is CSV as spreadsheets write it: fields may be quoted and hold line ends. TSV is written both with quotes and
without; which it is shows only in the whole file, so a TSV in which a field begins with a quote is read twice.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.columns import ID_KEY, document_of, text_column
from bertsmith.corpus.reading.decoding import lines_with_ends, text_pieces
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.errors import DataError

LARGEST_FIELD = 2**31 - 1
"""Characters; what the csv module takes on every machine."""
_OPENING_QUOTE = re.compile('(?:^|\t)"')


def read_csv(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """The documents of a CSV file; their ids are the column `id`, or `name#n`."""
    return _read(file, options, notes, delimiter=",", quoted=True)


def read_tsv(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """The documents of a TSV file; their ids are the column `id`, or `name#n`."""
    aside = ReadingNotes()
    quoted = is_quoted(file.location, lambda: lines_with_ends(text_pieces(file, options, aside)))
    if quoted is not None:
        notes.detected.append(
            f"{file.name}: fields may stand in quotes" if quoted else f"{file.name}: quotes are characters like others"
        )
    yield from _read(file, options, notes, delimiter="\t", quoted=bool(quoted))


def _read(
    file: SourceFile, options: ReadingOptions, notes: ReadingNotes, *, delimiter: str, quoted: bool
) -> Iterator[Document]:
    rows = rows_of_table(file.location, lines_with_ends(text_pieces(file, options, notes)), delimiter, quoted=quoted)
    header_line = next(rows, None)
    if header_line is None:
        yield Document(f"{file.name}#0", ())
        return
    header = [name.strip() for name in header_line[1]]
    text_at = header.index(text_column(header, options.text_column, str(file.location), table=True))
    id_at = header.index(ID_KEY) if ID_KEY in header else None
    for number, (line, row) in enumerate(rows):
        where = f"{file.location}: line {line}"
        if len(row) != len(header):
            raise DataError(f"{where}: {len(row)} fields, expected {len(header)} ({', '.join(header)})")
        identifier = row[id_at] if id_at is not None else None
        yield document_of(row[text_at], identifier, f"{file.name}#{number}", where, "a text")


def rows_of_table(where: str, lines: Iterable[str], delimiter: str, *, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the number of the line each begins on; lines come with their ends.

    Where there is one column, a field of spaces below the first row is a row as any other.

    `where` begins the message of the DataError that is raised for what is no CSV.
    """
    csv.field_size_limit(LARGEST_FIELD)
    reader = csv.reader(
        lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True
    )
    line, width = 1, 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            what = "a quoted field without its closing quote" if "unexpected end" in str(error) else str(error)
            raise DataError(f"{where}: line {line}: {what}") from None
        if len(row) > 1 or any(field.strip() for field in row) or (row and width == 1):
            width = width or len(row)
            yield line, row
        line = reader.line_num + 1


def is_quoted(where: str, lines: Callable[[], Iterable[str]]) -> bool | None:
    """Whether the fields of a TSV that begin with a quote are quoted fields; None where none begins with one.

    They are where the whole file can be read so and each row has as many fields as the header. `lines` gives the lines
    of the file anew each time, with their ends.
    """
    if not any(_OPENING_QUOTE.search(line) for line in lines()):
        return None
    try:
        widths = {len(row) for _, row in rows_of_table(where, lines(), "\t", quoted=True)}
    except DataError:
        return False
    return len(widths) == 1

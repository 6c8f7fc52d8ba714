"""`.csv` and `.tsv`: a header, then a document a row, streamed.

CSV is CSV as spreadsheets write it: fields may be quoted and hold line ends. TSV is written both with quotes and
without; which it is shows only in the whole file, so a TSV in which a field begins with a quote is read twice.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.cells import is_printed_bytes, printed_bytes_error
from bertsmith.corpus.reading.columns import ID_KEY, document_of, text_column
from bertsmith.corpus.reading.decoding import lines_with_ends, read_text_buffers
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.errors import DataError

LARGEST_FIELD = 2**31 - 1
"""Characters; what the csv module takes on every machine."""
TAB = "\t"
OTHER_SEPARATORS = (";", TAB, "|")
"""What separates the fields of a .csv instead of commas."""
FIRST_ROWS, FIRST_LINES = 20, 1_000
"""The rows by which the separator is chosen, and the lines in which they are looked for; some rows may be broken."""
_NAMES = {",": "commas", ";": "semicolons", TAB: "tabs", "|": "bars", " ": "spaces"}
_OPENING_QUOTE = re.compile('(?:^|\t)"')
_EXCEL_SEPARATOR = re.compile(r'\ufeff?"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True)
class TableFormat:
    """How a table is written.

    Attributes:
        separator: what separates the fields.
        quoted: whether fields may be quoted; None if no field of a TSV begins with a quote, so that both are the same.
        detected: why the separator differs from the usual one for the ending, in words; None if it does not.
    """

    separator: str
    quoted: bool | None
    detected: str | None = None


def read_csv(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """The documents of a CSV file; their ids are the column `id`, or `name#n`."""
    return _read(file, options, notes, usual=",")


def read_tsv(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """The documents of a TSV file; their ids are the column `id`, or `name#n`."""
    return _read(file, options, notes, usual=TAB)


def _read(file: SourceFile, options: ReadingOptions, notes: ReadingNotes, *, usual: str) -> Iterator[Document]:
    scratch_notes = ReadingNotes()
    form = detect_table_format(
        file.location,
        lambda: lines_with_ends(read_text_buffers(file, options, scratch_notes)),
        usual=usual,
        asked=options.separator,
    )
    if form.detected is not None:
        notes.detected.append(f"{file.name}: {form.detected}")
    if form.separator == TAB and form.quoted is not None:
        notes.detected.append(
            f"{file.name}: " + ("fields may stand in quotes" if form.quoted else "quotes are ordinary characters")
        )
    rows = rows_of_table(file.location, lines_with_ends(read_text_buffers(file, options, notes)), form)
    header_line = next(rows, None)
    if header_line is None:
        yield Document(f"{file.name}#0", ())
        return
    header = [name.strip() for name in header_line[1]]
    text = text_column(header, options.text_column, str(file.location), table=True)
    text_at = header.index(text)
    id_at = header.index(ID_KEY) if header.count(ID_KEY) == 1 else None
    number, again = 0, []
    printed: str | None = ""  # where the first text is, as long as every text is the print of bytes
    for line, row in rows:
        where = f"{file.location}: line {line}"
        if len(row) != len(header):
            raise DataError(f"{where}: {len(row)} fields, expected {len(header)} ({', '.join(header)})")
        if repeats_header(where, row, header):
            again.append(line)
            continue
        if printed is not None:
            printed = (printed or where) if is_printed_bytes(row[text_at]) else None
            if printed and number == FIRST_ROWS:
                raise printed_bytes_error(f"{printed}: column {text!r}", row[text_at])
        identifier = row[id_at] if id_at is not None else None
        yield document_of(row[text_at], identifier, fallback=f"{file.name}#{number}", where=f"{where}: column {text!r}")
        number += 1
    if printed:
        raise printed_bytes_error(f"{printed}: column {text!r}", row[text_at])
    if again:
        notes.detected.append(f"{file.name}: {headers_left_out(again)}")


def detect_table_format(
    where: str, lines: Callable[[], Iterable[str]], *, usual: str, asked: str | None
) -> TableFormat:
    """How a table is written: its separator is the one asked for, else that of its first rows, else the usual one.

    Excel in many countries writes semicolons into a .csv, and some programs tabs or bars. They are recognised if the
    header is one field by commas and several by them, and one of the next rows has as many; or if commas divide the
    first rows in different ways, and they divide all of them alike. Excel's line `sep=;` says
    it too. Tabs go with the quotes of TSV, every other separator with those of CSV. `lines` gives the lines of the file
    anew each time, with their ends.
    """
    separator, detected = asked or usual, None
    if asked is None and (said := _EXCEL_SEPARATOR.match(next(iter(lines()), ""))) is not None:
        separator, detected = said[1], f"the fields are separated by {name_of(said[1])}, as its first line says"
    elif asked is None and usual == TAB:
        first_lines = [*islice(lines(), FIRST_LINES)]
        if _widths(where, first_lines, TAB)[:1] == [1]:
            separator = next((other for other in (",", ";", "|") if _has_names(where, first_lines, other)), TAB)
        if separator != TAB:
            detected = f"the fields are separated by {name_of(separator)}, as its header shows (--separator tab is TSV)"
    elif asked is None and usual == ",":
        first_lines = [*islice(lines(), FIRST_LINES)]
        by_commas = _widths(where, first_lines, ",")
        found = {other: _widths(where, first_lines, other) or [0] for other in OTHER_SEPARATORS}
        if found[TAB][0] not in found[TAB][1:]:  # fields with tabs in quotes
            found[TAB] = _widths(where, first_lines, TAB, quoted=True) or [0]
        header = {other: first for other, (first, *more) in found.items() if not more or first in more}
        if by_commas[:1] not in ([], [1]):  # the others must divide every row alike
            header = {other: first for other, first in header.items() if len(found[other]) > 1 == len({*found[other]})}
        best = max(header, key=header.__getitem__, default=",")
        if header.get(best, 1) > 1 and by_commas[:1] not in ([], [1]) and len({*by_commas}) == 1:
            detected = (
                f"the fields are separated by commas; {name_of(best)} divide its first rows alike as well "
                f"(--separator {_as_option(best)} reads them so)"
            )
        elif header.get(best, 1) > 1:
            separator = best
            detected = (
                f"the fields are separated by {name_of(best)}, as its first rows show (--separator names a different "
                "one)"
            )
    return TableFormat(separator, True if separator != TAB else is_quoted(where, lines), detected)


def name_of(separator: str) -> str:
    """A separator in words."""
    return _NAMES.get(separator, repr(separator))


def _has_names(where: str, lines: Sequence[str], separator: str) -> bool:
    """Whether the header holds several names by a separator, and one of the next rows has as many fields."""
    try:
        header = next((row for _, row in rows_of_table(where, lines[:1], TableFormat(separator, True))), [])
    except DataError:  # a quote that is a character
        return False
    if len(header) < 2 or any(re.search(r"\s", name.strip()) or not name.strip() for name in header):
        return False
    return len(header) in _widths(where, lines, separator)[1:]


def _as_option(separator: str) -> str:
    """A separator as it is written on the command line."""
    return "tab" if separator == TAB else f"'{separator}'"


def _widths(where: str, lines: Sequence[str], separator: str, *, quoted: bool | None = None) -> list[int]:
    """The numbers of fields of the first rows by a separator, as far as they can be read by it."""
    widths: list[int] = []
    form = TableFormat(separator, separator != TAB if quoted is None else quoted)
    try:
        for _, row in islice(rows_of_table(where, lines, form), FIRST_ROWS):
            widths.append(len(row))
    except DataError:
        pass
    return widths


def repeats_header(where: str, row: Sequence[Any], header: Sequence[str]) -> bool:
    """Whether a row is the header once more: files were joined with their headers.

    This does not hold for a table of one column, because its name may well be a text. Raises DataError if the second
    header has the columns in a different order.
    """
    if len(header) < 2 or len(row) != len(header) or not all(isinstance(field, str) for field in row):
        return False
    found = [field.lstrip("\ufeff").strip() for field in row]
    names = [name.casefold() for name in header]
    if sorted(map(str.casefold, found)) != sorted(names):
        return False
    if [field.casefold() for field in found] != names:
        raise DataError(
            f"{where}: found a second header, {', '.join(row)}, with the columns in a different order than "
            f"{', '.join(header)}; expected one header. Try: join files only if their columns have the same order"
        )
    return True


def headers_left_out(numbers: Sequence[int], unit: str = "line") -> str:
    """The message about rows that repeat the header."""
    rows = "1 row repeats" if len(numbers) == 1 else f"{len(numbers):,} rows repeat"
    return f"{rows} the header (the first is {unit} {numbers[0]}) and {'is' if len(numbers) == 1 else 'are'} left out"


def rows_of_table(where: str, lines: Iterable[str], form: TableFormat) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the number of the line each begins on; lines come with their ends.

    Excel's first line `sep=;` is no row.

    Where there is one column, a field of spaces below the first row is a row as any other.

    `where` begins the message of the DataError that is raised for what is no CSV.
    """
    csv.field_size_limit(LARGEST_FIELD)
    reader = csv.reader(
        _without_separator_line(lines),
        delimiter=form.separator,
        quoting=csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE,
        strict=True,
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


def _without_separator_line(lines: Iterable[str]) -> Iterator[str]:
    """The lines, the first of them blank if it is Excel's `sep=;`: so the others keep their numbers."""
    for number, line in enumerate(lines):
        yield "\n" if not number and _EXCEL_SEPARATOR.match(line) else line


def is_quoted(where: str, lines: Callable[[], Iterable[str]]) -> bool | None:
    """Whether the fields of a TSV that begin with a quote are quoted fields; None where none begins with one.

    They are where the whole file can be read so and each row has as many fields as the header. `lines` gives the lines
    of the file anew each time, with their ends.
    """
    if not any(_OPENING_QUOTE.search(line) for line in lines()):
        return None
    try:
        widths = {len(row) for _, row in rows_of_table(where, lines(), TableFormat(TAB, True))}
    except DataError:
        return False
    return len(widths) == 1

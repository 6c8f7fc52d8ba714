"""`.csv` and `.tsv`: a header, then one document per row, streamed.

CSV follows spreadsheets: fields may be quoted and contain line breaks. TSV is written both with and without quotes, and
only the whole file shows which. So a TSV file with a field that begins with a quote is read twice.
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
"""Characters; the most that the csv module accepts on every machine."""
TAB = "\t"
OTHER_SEPARATORS = (";", TAB, "|")
"""Separators other than commas in .csv files."""
FIRST_ROWS, FIRST_LINES = 20, 1_000
"""Rows used to choose the separator, and the lines searched for them; some rows may be malformed."""
_NAMES = {",": "commas", ";": "semicolons", TAB: "tabs", "|": "bars", " ": "spaces"}
_OPENING_QUOTE = re.compile('(?:^|\t)"')
_EXCEL_SEPARATOR = re.compile(r'\ufeff?"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True)
class TableFormat:
    """How a table is written.

    Attributes:
        separator: the separator of the fields.
        quoted: whether fields may be quoted; None for a TSV in which no field begins with a quote, so that it makes no
            difference.
        detected: why the separator differs from the default for the extension; None if it does not.
    """

    separator: str
    quoted: bool | None
    detected: str | None = None


def read_csv(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the documents of a CSV file; their ids are the column `id`, or `name#n`."""
    return _read(file, options, notes, default_separator=",")


def read_tsv(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the documents of a TSV file; their ids are the column `id`, or `name#n`."""
    return _read(file, options, notes, default_separator=TAB)


def _read(
    file: SourceFile, options: ReadingOptions, notes: ReadingNotes, *, default_separator: str
) -> Iterator[Document]:
    scratch_notes = ReadingNotes()
    form = detect_table_format(
        file.location,
        lambda: lines_with_ends(read_text_buffers(file, options, scratch_notes)),
        default_separator=default_separator,
        requested=options.separator,
    )
    if form.detected is not None:
        notes.detected.append(f"{file.name}: {form.detected}")
    if form.separator == TAB and form.quoted is not None:
        notes.detected.append(
            f"{file.name}: " + ("fields may be quoted" if form.quoted else "quotes are ordinary characters")
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
    number, repeated_headers = 0, []
    printed: str | None = ""  # position of the first text, as long as every text is printed bytes
    for line, row in rows:
        where = f"{file.location}: line {line}"
        if len(row) != len(header):
            raise DataError(f"{where}: found {len(row)} fields, expected {len(header)} ({', '.join(header)})")
        if repeats_header(where, row, header):
            repeated_headers.append(line)
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
    if repeated_headers:
        notes.detected.append(f"{file.name}: {headers_left_out(repeated_headers)}")


def detect_table_format(
    where: str, lines: Callable[[], Iterable[str]], *, default_separator: str, requested: str | None
) -> TableFormat:
    """Detect how a table is written: the requested separator, else that of its first rows, else the default.

    Excel writes semicolons into .csv files in many countries; some programs write tabs or bars. They are detected if
    commas give a header of one field but the other separator gives several, and one of the next rows has as many; or if
    commas split the first rows into different numbers of fields but the other separator splits them all alike. Excel's
    line `sep=;` also sets the separator. Tabs use the quoting rules of TSV, all other separators those of CSV. `lines`
    returns a new iterator over the lines of the file, with their ends, at each call.
    """
    separator, detected = requested or default_separator, None
    if requested is None and (declared := _EXCEL_SEPARATOR.match(next(iter(lines()), ""))) is not None:
        separator = declared[1]
        detected = f"fields are separated by {name_of(separator)}, as its first line declares"
    elif requested is None and default_separator == TAB:
        first_lines = [*islice(lines(), FIRST_LINES)]
        if _widths(where, first_lines, TAB)[:1] == [1]:
            separator = next((other for other in (",", ";", "|") if _has_names(where, first_lines, other)), TAB)
        if separator != TAB:
            detected = (
                f"fields are separated by {name_of(separator)}, as its header shows (--separator tab reads it as TSV)"
            )
    elif requested is None and default_separator == ",":
        first_lines = [*islice(lines(), FIRST_LINES)]
        by_commas = _widths(where, first_lines, ",")
        found = {other: _widths(where, first_lines, other) or [0] for other in OTHER_SEPARATORS}
        if found[TAB][0] not in found[TAB][1:]:  # fields with tabs in quotes
            found[TAB] = _widths(where, first_lines, TAB, quoted=True) or [0]
        header = {other: first for other, (first, *more) in found.items() if not more or first in more}
        if by_commas[:1] not in ([], [1]):  # the others must split every row alike
            header = {other: first for other, first in header.items() if len(found[other]) > 1 == len({*found[other]})}
        best = max(header, key=header.__getitem__, default=",")
        if header.get(best, 1) > 1 and by_commas[:1] not in ([], [1]) and len({*by_commas}) == 1:
            detected = (
                f"fields are separated by commas; {name_of(best)} would also fit its first rows "
                f"(--separator {_as_option(best)})"
            )
        elif header.get(best, 1) > 1:
            separator = best
            detected = (
                f"fields are separated by {name_of(best)}, as its first rows show (--separator sets a different one)"
            )
    return TableFormat(separator, True if separator != TAB else is_quoted(where, lines), detected)


def name_of(separator: str) -> str:
    """Return the name of a separator."""
    return _NAMES.get(separator, repr(separator))


def _has_names(where: str, lines: Sequence[str], separator: str) -> bool:
    """Return whether a separator splits the header into several names, and one of the next rows into as many fields."""
    try:
        header = next((row for _, row in rows_of_table(where, lines[:1], TableFormat(separator, True))), [])
    except DataError:  # a quote as an ordinary character
        return False
    if len(header) < 2 or any(re.search(r"\s", name.strip()) or not name.strip() for name in header):
        return False
    return len(header) in _widths(where, lines, separator)[1:]


def _as_option(separator: str) -> str:
    """Return a separator as written on the command line."""
    return "tab" if separator == TAB else f"'{separator}'"


def _widths(where: str, lines: Sequence[str], separator: str, *, quoted: bool | None = None) -> list[int]:
    """Return the number of fields per row for the first rows, as far as they can be read with a separator."""
    widths: list[int] = []
    form = TableFormat(separator, separator != TAB if quoted is None else quoted)
    try:
        for _, row in islice(rows_of_table(where, lines, form), FIRST_ROWS):
            widths.append(len(row))
    except DataError:
        pass
    return widths


def repeats_header(where: str, row: Sequence[Any], header: Sequence[str]) -> bool:
    """Return whether a row repeats the header, as after joining files with headers.

    Always false for a table of one column, because its name may also be a text. Raises DataError if the second header
    has its columns in a different order.
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
    """Return the note about rows that repeat the header."""
    rows = "1 row repeats" if len(numbers) == 1 else f"{len(numbers):,} rows repeat"
    return f"{rows} the header (the first is {unit} {numbers[0]}) and {'is' if len(numbers) == 1 else 'are'} left out"


def rows_of_table(where: str, lines: Iterable[str], form: TableFormat) -> Iterator[tuple[int, list[str]]]:
    """Yield the non-blank rows, with the number of the line where each begins; `lines` keep their ends.

    Excel's first line `sep=;` is skipped. In a table of one column, a field of spaces below the first row counts as a
    row.

    Raises DataError, prefixed with `where`, for malformed CSV.
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
            what = (
                "a quoted field without its closing quote"
                if "unexpected end" in str(error)
                else f"malformed CSV ({error})"
            )
            raise DataError(f"{where}: line {line}: found {what}") from None
        if len(row) > 1 or any(field.strip() for field in row) or (row and width == 1):
            width = width or len(row)
            yield line, row
        line = reader.line_num + 1


def _without_separator_line(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, with Excel's `sep=;` replaced by a blank line so that line numbers stay the same."""
    for number, line in enumerate(lines):
        yield "\n" if not number and _EXCEL_SEPARATOR.match(line) else line


def is_quoted(where: str, lines: Callable[[], Iterable[str]]) -> bool | None:
    """Return whether the fields of a TSV file are quoted; None if none begins with a quote.

    They are quoted if the whole file can be read that way and each row has as many fields as the header. `lines`
    returns a new iterator over the lines of the file, with their ends, at each call.
    """
    if not any(_OPENING_QUOTE.search(line) for line in lines()):
        return None
    try:
        widths = {len(row) for _, row in rows_of_table(where, lines(), TableFormat(TAB, True))}
    except DataError:
        return False
    return len(widths) == 1

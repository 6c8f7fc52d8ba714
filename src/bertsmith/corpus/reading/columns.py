"""Which column of a record holds the text, and what a text and an id may be."""

from __future__ import annotations

from collections.abc import Collection

from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.corpus.reading.cells import repeated_names, text_of_cell
from bertsmith.corpus.reading.sources import printable_name
from bertsmith.errors import DataError

TEXT_KEYS = ("text", "content", "body", "document", "sentence")
ID_KEY = "id"
_ADVICE = ". Name the one that holds the text with --text-column"


def text_column(names: Collection[str], asked: str | None, where: str, *, table: bool) -> str:
    """The name of the column that holds the text: the one asked for, or the first of the usual names.

    In a table, where all rows have the same columns, a single column is taken whatever its name.
    `where` begins the message of the DataError that is raised where there is none, or several of this name.
    """
    for name in (asked,) if asked is not None else TEXT_KEYS:
        if name in names:
            if table and (repeated := repeated_names([*names]).get(name)) is not None:
                raise DataError(f"{where}: column {name!r}: found {repeated}, expected it once. Try: rename the others")
            return name
    if table and asked is None and len(names) == 1 and ID_KEY not in names:
        return next(iter(names))
    thing = "column" if table else "key"
    wanted = f"{asked!r}" if asked is not None else f"named {', '.join(TEXT_KEYS)}"
    raise DataError(
        f"{where}: no {thing} {wanted}; the {thing}s there are {', '.join(map(repr, names))}. "
        "Name the one that holds the text with --text-column."
    )


def document_of(text: object, identifier: object, *, fallback: str, where: str) -> Document:
    """The document of a record: its text to paragraphs, its id if it has one, else `fallback`.

    A text that is null or empty makes a document without paragraphs; one that is no text is a DataError.
    """
    found = "" if text is None else text_of_cell(text, where, advice=_ADVICE)
    has_id = isinstance(identifier, (str, int)) and not isinstance(identifier, bool) and identifier != ""
    return Document(printable_name(str(identifier)) if has_id else fallback, paragraphs_of(found))

"""Choose the column of a record that holds the text, and turn its text and id into a document."""

from __future__ import annotations

from collections.abc import Collection

from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.corpus.reading.cells import repeated_names, text_of_cell
from bertsmith.corpus.reading.sources import printable_name
from bertsmith.errors import DataError

TEXT_KEYS = ("text", "content", "body", "document", "sentence")
ID_KEY = "id"
_ADVICE = ". Try: name the text column with --text-column"


def text_column(names: Collection[str], requested: str | None, where: str, *, table: bool) -> str:
    """Return the name of the text column: the requested one, or the first of the usual names.

    If a table has only one column, that column is taken whatever its name. Raises DataError, prefixed with `where`, if
    there is no such column or several.
    """
    for name in (requested,) if requested is not None else TEXT_KEYS:
        if name in names:
            if table and (repeated := repeated_names([*names]).get(name)) is not None:
                raise DataError(f"{where}: column {name!r}: found {repeated}, expected it once. Try: rename the others")
            return name
    if table and requested is None and len(names) == 1 and ID_KEY not in names:
        return next(iter(names))
    thing = "column" if table else "key"
    missing = f"{requested!r}" if requested is not None else f"named {', '.join(TEXT_KEYS)}"
    raise DataError(
        f"{where}: no {thing} {missing}; the {thing}s are {', '.join(map(repr, names))}. "
        f"Try: name the text {thing} with --text-column"
    )


def document_of(text: object, identifier: object, *, fallback: str, where: str) -> Document:
    """Return the document of a record: its text as paragraphs, and its id or else `fallback`.

    A null or empty text gives a document without paragraphs; any other value that is not text raises DataError.
    """
    found = "" if text is None else text_of_cell(text, where, advice=_ADVICE)
    has_id = isinstance(identifier, (str, int)) and not isinstance(identifier, bool) and identifier != ""
    return Document(printable_name(str(identifier)) if has_id else fallback, paragraphs_of(found))

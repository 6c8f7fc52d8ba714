"""Detection of the column of the second text: by its usual names, and by the columns of the training file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.label_checks import NUMBER
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.files.table_records import FileRecord, record_keys

PAIR_COLUMNS = ("text_pair", "pair", "sentence2", "hypothesis", "question2")
VAGUE = "pair"
"""A name that other columns also have (the number of a pair, a group). Such a column is a second text only if the first
text is in `text` and its own cells look like texts."""
NO_SPACES = "\u0e00"
"""From this code point on, Unicode has scripts without spaces between words (Thai, Lao, Japanese ...)."""
FEW_ROWS = 5


def second_text_column(
    path: Path, records: Sequence[FileRecord], text: str, *, text_is_chosen: bool, reference: FileReference | None
) -> str | None:
    """Return the column of the second text, None for single texts; print the decision.

    Raises DataError if the file has pairs and the training file does not, or the reverse.

    Args:
        text: the column of the first text.
        text_is_chosen: whether an option names this column.
    """
    present = [name for name in record_keys(records) if name != text]
    if reference is not None and reference.pair is not None:
        return _pair_column_of_training(reference, path, records, present=present, text_is_chosen=text_is_chosen)
    if text_is_chosen:
        return None
    found = None
    for name in (name for name in PAIR_COLUMNS if name in present):
        cells = [record.values.get(name) for record in records]
        reason = _no_text(name, text, cells)
        if reason is None:
            found = name
            break
        # Numbers in JSON and Parquet are never accepted as texts.
        can_be_text = all(isinstance(cell, str | bytes) for cell in cells if _filled(cell))
        advice = f"; to use it as the second text, give --pair-column {name}" if can_be_text else ""
        log_info(f"{path}: column {name!r} is not read, because {reason}{advice}")
    if found is None:
        return None
    if reference is None:
        log_info(
            f"{path}: read as pairs, with the second text in column {found!r}; for single texts give "
            f"--text-column {text}"
        )
        return found
    if not reference.is_from_model:
        raise DataError(
            f"{path}: found two texts per row, expected one as in {reference.source}. Try: --text-column {text} to "
            f"read single texts, or --pair-column to read pairs from all files"
        )
    warn(
        f"{path}: column {found!r} is not read, because {reference.source} has single texts; to use it as the second "
        f"text, give --pair-column {found}"
    )
    return None


def _pair_column_of_training(
    reference: FileReference, path: Path, records: Sequence[FileRecord], *, present: Sequence[str], text_is_chosen: bool
) -> str:
    assert reference.pair is not None
    usual_names: tuple[str, ...] = () if text_is_chosen else PAIR_COLUMNS
    for name in (name for name in (reference.pair, *usual_names) if name in present):
        if any(_filled(record.values.get(name)) for record in records):
            if name != reference.pair:
                log_info(
                    f"{path}: second texts are read from column {name!r}; in {reference.source} they are in column "
                    f"{reference.pair!r}"
                )
            return name
    empty = f" (column {reference.pair!r} is empty in every row)" if reference.pair in present else ""
    raise DataError(
        f"{path}: found one text per row{empty}, expected two as in {reference.source} (columns {reference.text!r} and "
        f"{reference.pair!r}). Try: --text-column and --pair-column"
    )


def _filled(value: object) -> bool:
    return value is not None and value == value and bool(str(value).strip())


def _no_text(name: str, text: str, cells: Sequence[object]) -> str | None:
    """Return the reason why a column with a usual name is not a second text; None if it is."""
    values = [str(cell).strip() for cell in cells if _filled(cell)]
    if not values:
        return "it is empty in every row"
    if all(NUMBER.fullmatch(value) for value in values):
        return "it has only numbers"
    if name != VAGUE:
        return None
    if text != "text":
        return f"the texts are in column {text!r}"
    if sum(_has_several_words(value) for value in values) < len(values) / 2:
        return "most of its cells are single words"
    if len(values) >= FEW_ROWS and len(set(values)) < len(values) / 3:
        return f"it has only {len(set(values))} different value{'s' * (len(set(values)) > 1)}"
    return None


def _has_several_words(text: str) -> bool:
    return len(text.split()) > 1 or sum(char >= NO_SPACES and char.isalpha() for char in text) > FEW_ROWS


def warn_of_empty_second_texts(path: Path, name: str, rows: Sequence[tuple[str, str]]) -> None:
    """Warn about rows without a second text; `rows` has the second text and the location of each row."""
    empty = [place for text, place in rows if not text.strip()]
    if empty:
        warn(
            f"{path}: the second text (column {name!r}) is empty in {len(empty):,} of {len(rows):,} rows, first in "
            f"{empty[0]}; these rows are still read as pairs"
        )

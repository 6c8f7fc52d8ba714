"""The column of the second text if no option names it: by its usual names, and as the reference has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.label_checks import NUMBER
from bertsmith.tasks.files.records import Record, names_of
from bertsmith.tasks.files.reference import Reference

PAIR_COLUMNS = ("text_pair", "pair", "sentence2", "hypothesis", "question2")
VAGUE = "pair"
"""A name that other columns have as well (the number of a pair, a group): it is a second text only next to `text`, and
if its cells look like texts."""
NO_SPACES = "\u0e00"
"""From here on Unicode has the scripts that are written without spaces between words (Thai, Lao, Japanese ...)."""
FEW_ROWS = 5


def second_text_column(
    path: Path, records: Sequence[Record], text: str, *, text_is_chosen: bool, like: Reference | None
) -> str | None:
    """The column of the second text, None for single texts; prints what was decided.

    `text` is the column of the first text, `text_is_chosen` whether an option names it. Raises DataError if the file
    does not agree with the training file in having pairs, or the model reads pairs and the file has none.
    """
    present = [name for name in names_of(records) if name != text]
    if like is not None and like.pair is not None:
        return _as_the_pairs_of(like, path, records, present=present, text_is_chosen=text_is_chosen)
    if text_is_chosen:
        return None
    found = None
    for name in (name for name in PAIR_COLUMNS if name in present):
        cells = [record.values.get(name) for record in records]
        reason = _no_text(name, text, cells)
        if reason is None:
            found = name
            break
        # Numbers of JSON and Parquet are refused as texts, whatever the options say.
        can_be_text = all(isinstance(cell, str | bytes) for cell in cells if _filled(cell))
        advice = f"; --pair-column {name} makes it the second text" if can_be_text else ""
        log_info(f"{path}: column {name!r} is not read, because {reason}{advice}")
    if found is None:
        return None
    if like is None:
        log_info(f"{path}: read as pairs, the second text is column {found!r}; --text-column {text} reads single texts")
        return found
    if not like.of_model:
        raise DataError(
            f"{path}: found two texts per row, expected one as in {like.source}. Give --text-column {text} to read "
            f"only the texts, or name the second text of all files with --pair-column"
        )
    warn(
        f"{path}: column {found!r} is not read: {like.source} has single texts; --pair-column {found} makes "
        "it the second text"
    )
    return None


def _as_the_pairs_of(
    like: Reference, path: Path, records: Sequence[Record], *, present: Sequence[str], text_is_chosen: bool
) -> str:
    assert like.pair is not None
    usual: tuple[str, ...] = () if text_is_chosen else PAIR_COLUMNS
    for name in (name for name in (like.pair, *usual) if name in present):
        if any(_filled(record.values.get(name)) for record in records):
            if name != like.pair:
                log_info(f"{path}: the second texts are in column {name!r}, those of {like.source} in {like.pair!r}")
            return name
    empty = f" (column {like.pair!r} is empty in every row)" if like.pair in present else ""
    raise DataError(
        f"{path}: found one text per row{empty}, expected two as in {like.source} (columns {like.text!r} and "
        f"{like.pair!r}); name the columns with --text-column and --pair-column"
    )


def _filled(value: object) -> bool:
    return value is not None and value == value and bool(str(value).strip())


def _no_text(name: str, text: str, cells: Sequence[object]) -> str | None:
    """Why the column of a usual name is no second text, None if it is."""
    values = [str(cell).strip() for cell in cells if _filled(cell)]
    if not values:
        return "it is empty in every row"
    if all(NUMBER.fullmatch(value) for value in values):
        return "it holds only numbers"
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
    """Warn of rows without a second text; `rows` are the second text and the place of each row."""
    empty = [place for text, place in rows if not text.strip()]
    if empty:
        warn(
            f"{path}: the second text (column {name!r}) is empty in {len(empty):,} of {len(rows):,} rows, the first is "
            f"{empty[0]}; they are read as pairs all the same"
        )

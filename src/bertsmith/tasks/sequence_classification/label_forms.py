"""Checks for labels that are not label names: vectors of 0 and 1, and lists with a wrong separator."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bertsmith.errors import DataError, shortened
from bertsmith.tasks.files.label_checks import SEPARATOR
from bertsmith.tasks.files.labelled_file import Row
from bertsmith.tasks.files.printed_lists import is_vector, vector_in_text


def refuse_vectors(rows: Sequence[Row]) -> None:
    """Raise DataError if the labels are vectors of 0 and 1: [0, 1, 0] does not name labels.

    Lists are vectors if a list has a number twice, or if all lists consist of 0 and 1 and are equally long. (In
    contrast, [0], [1] and [0, 1] are lists of the labels 0 and 1.) Fields such as `0 1 0` are vectors if all have the
    same length.
    """
    lists = [row.listed for row in rows]
    first = next((place for place, found in enumerate(lists) if found and is_vector(found) and _repeats(found)), None)
    if first is None and all(found is not None and is_vector(found) for found in lists):
        first = 0 if len({len(found or ()) for found in lists}) == 1 else None
    if first is None and all(found is None for found in lists):
        fields = [vector_in_text(row.label) if isinstance(row.label, str) else None for row in rows]
        first = 0 if None not in fields and len({len(field or ()) for field in fields}) == 1 else None
    if first is not None:
        found = rows[first].label
        shown = f"[{', '.join(found)}]" if isinstance(found, tuple) else str(found).strip()
        raise DataError(
            f"{rows[first].where}: found the label {shortened(shown)}, a vector of 0 and 1; expected label names, "
            f'as a JSON list (["pace", "actors"]) or separated by {SEPARATOR} '
            f"(pace{SEPARATOR}actors)"
        )


def _repeats(items: tuple[str, ...]) -> bool:
    return len({float(item) if item.lower() not in ("true", "false") else item.lower() for item in items}) < len(items)


def refuse_other_separators(rows: Sequence[Row], known: Collection[str] = ()) -> None:
    """Raise DataError if labels are separated by commas or semicolons instead of `|`.

    This is assumed if every field with such a separator has a part that is also a label elsewhere: by itself, in a
    different field, or in `known`. `Washington, D.C.` is one label.
    """
    fields = [(row, row.label) for row in rows if isinstance(row.label, str) and row.listed is None]
    if any(SEPARATOR in whole for _, whole in fields):
        return
    for other in ",;":
        several = [
            (row, _parts(whole, other)) for row, whole in fields if other in whole and whole.strip() not in known
        ]
        combinations: dict[str, set[tuple[str, ...]]] = {}
        for _, whole in fields:
            for part in _parts(whole, other):
                combinations.setdefault(part, set()).add(_parts(whole, other))
        if several and all(any(part in known or len(combinations[part]) > 1 for part in parts) for _, parts in several):
            row, parts = several[0]
            raise DataError(
                f"{row.where}: found the label {shortened(str(row.label))!r}, which looks like {len(parts)} labels; "
                f"expected labels separated by {SEPARATOR}: {shortened(SEPARATOR.join(parts))}"
            )


def _parts(field: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in field.split(separator))

"""Checks for labels that look wrong: numbers that are read as classes, and a class with several spellings.

Both train without an error and give misleading metrics: a similarity score with 26 "classes", or a class whose examples
are divided between `Sports` and `sports`. A definite mistake raises an error, a likely one a warning.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from bertsmith.errors import DataError

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)
"""A number; the decimal mark may be a comma."""
SEPARATOR = "|"
"""Separates several labels of a text in files without lists."""
MANY_NUMBERS = 50
"""If there are more whole numbers than this, they are rarely classes."""
FEW_ROWS = 2
"""A model rarely learns a label that occurs this often or less."""
EXAMPLES = 5
MISSING = ("nan", "NaN", "None", "null", "NULL", "<NA>", "NaT", "#N/A")
"""How pandas, Python, JSON, SQL and Excel print a missing value."""

REGRESSION_OR_CLASSES = (
    "Try: --problem-type regression to predict numbers, or --problem-type single_label_classification if they are "
    "classes"
)


def spelling_key(name: str) -> str:
    """Return a key without case, white space, invisible characters and differences of Unicode form."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(char for char in folded if not char.isspace() and unicodedata.category(char) != "Cf") or name


def find_similar_name(name: str, known: Iterable[str]) -> str | None:
    """Return the first known name that differs from this name only in spelling."""
    key = spelling_key(name)
    return next((other for other in known if other != name and spelling_key(other) == key), None)


def quoted_name(name: str) -> str:
    """Quote a name for a message; escape it if it has invisible characters or is not in Unicode form NFC."""
    plain = unicodedata.normalize("NFC", name) == name and all(char == " " or char.isprintable() for char in name)
    return repr(name) if plain else ascii(name)


def spelling_advice(name: str, near: str) -> str:
    """Return the end of an error about an unknown label if the model has the label in a different spelling."""
    return (
        f"; the model has {quoted_name(near)}, which differs from {quoted_name(name)} only in case, white space or "
        "Unicode form. Try: spell both the same way"
    )


def check_are_classes(path: str, labels: Sequence[str], places: Iterable[tuple[str, str]]) -> None:
    """Raise DataError if all labels are numbers and some have decimals: such labels are rarely class names.

    `places` has the label and the location of each row.
    """
    if not are_decimals(labels):
        return
    decimals = {label for label in labels if not _is_whole(label)}
    first, place = next((label, place) for label, place in places if label in decimals)
    comma = " Write numbers with a decimal point, not with a comma." if any("," in label for label in decimals) else ""
    raise DataError(
        f"{path}: {place}: found the label {first!r}, and all {len(labels)} different labels are numbers; expected "
        f"class names. {REGRESSION_OR_CLASSES}.{comma}"
    )


def _parts_are_labels(name: str, separator: str, labels: Collection[str]) -> bool:
    parts = name.split(separator)
    return len(parts) > 1 and all(part.strip() in labels for part in parts)


def are_decimals(labels: Collection[str]) -> bool:
    """Return whether all labels are numbers and some have decimals."""
    return all(NUMBER.fullmatch(label) for label in labels) and not all(map(_is_whole, labels))


def _is_whole(label: str) -> bool:
    number = float(label.replace(",", "."))
    return math.isinf(number) or number.is_integer()


def label_warnings(
    counts: Mapping[str, int], *, may_be_numbers: bool, labels_per_text: int | None = None
) -> Iterator[str]:
    """Yield warnings about the labels of a training file.

    Args:
        counts: how often each label occurs.
        may_be_numbers: False if the user asked for classes explicitly.
        labels_per_text: the highest number of labels of a text; None for single-label tasks.
    """
    if labels_per_text is not None and labels_per_text < 2:
        yield (
            "train: no text has more than one label; write several labels as a list "
            f'(["a", "b"]) or separate them with {SEPARATOR} (a{SEPARATOR}b)'
        )
    if labels_per_text is not None and are_decimals(counts):
        yield (
            f"train: the {len(counts):,} labels are numbers with decimals, such as {next(iter(counts))}, and each "
            "number is read as a label; expected label names"
        )
    if labels_per_text is None:
        joined = [name for name in counts if any(_parts_are_labels(name, mark, counts) for mark in (SEPARATOR, *",;"))]
        if joined:
            yield (
                f"train: {quoted_name(joined[0])} is a class, and its parts are classes too. Try: --problem-type "
                "multi_label_classification if a text may have several labels"
            )
    for name in MISSING:
        if name in counts:
            yield f"train: the label {name!r} ({counts[name]:,}) looks like a missing value; it is used as a class"
    groups: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        groups[spelling_key(name)].append(name)
    for names in (names for names in groups.values() if len(names) > 1):
        shown = " and ".join(f"{quoted_name(name)} ({counts[name]:,})" for name in names)
        yield (
            f"train: the labels {shown} differ only in case, white space or Unicode form; they are used as different "
            "classes. If they are one class, spell it the same way in all files"
        )
    if not may_be_numbers:
        return
    numbers = [name for name in counts if NUMBER.fullmatch(name)]
    rare = sum(counts[name] <= FEW_ROWS for name in numbers)
    if len(numbers) == len(counts) > MANY_NUMBERS and rare > len(numbers) / 2:
        yield (
            f"train: {len(numbers):,} different numbers are used as classes, and {rare:,} of them occur at most "
            f"{FEW_ROWS} times. {REGRESSION_OR_CLASSES}"
        )
    decimals = [name for name in numbers if not _is_whole(name)]
    if len(counts) / 2 < len(decimals) < len(counts):
        others = ", ".join(quoted_name(name) for name in [name for name in counts if name not in numbers][:EXAMPLES])
        yield (
            f"train: {len(decimals):,} of {len(counts):,} different labels are decimal numbers, but all labels are "
            f"used as classes because of {others}; --problem-type regression needs a number in every row"
        )

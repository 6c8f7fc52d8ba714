"""One name per class: numbers and booleans of the same value are one class, however a file spells them.

JSON has 1, 1.0 and true, spreadsheets 01, Python True. As strings these would be different classes, and a model trained
on one spelling would not know the labels of a file with a different spelling. If all labels are 0, 1 or booleans, true
is 1 and false is 0. Labels that are always spelled the same way stay unchanged: the codes 01 to 12 keep their zeros.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from decimal import Context, Decimal

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_AS_NUMBER = {"true": "1", "false": "0"}
_NUMBERS = set(_AS_NUMBER.values())
SHOWN = 10
"""Maximum number of classes in a warning."""


def canonical_value(name: str) -> str | None:
    """Return the simplest spelling of a number or boolean (1, 0.5, true); None for any other name."""
    if name.lower() in ("true", "false"):
        return name.lower()
    if _NUMBER.fullmatch(name) is None:
        return None
    number = Decimal(name).normalize(Context(prec=len(name) + 1))
    return f"{number:f}" if number else "0"


def merged_class_names(names: Iterable[str]) -> list[str]:
    """Return the class names for these spellings; a class with several spellings gets the simplest."""
    values = _values(set(names))
    count = Counter(values.values())
    return sorted({name if value is None or count[value] == 1 else value for name, value in values.items()})


def _values(names: Collection[str]) -> dict[str, str | None]:
    """Return the value of each name; true is 1 and false is 0 if there are no other values."""
    values = {name: canonical_value(name) for name in names}
    found = set(values.values())
    if found <= {*_AS_NUMBER, *_NUMBERS} and found & _NUMBERS:
        return {name: _AS_NUMBER.get(str(value), value) for name, value in values.items()}
    return values


class ClassNames:
    """The classes of a model, looked up by any spelling of their values."""

    def __init__(self, labels: Iterable[str]) -> None:
        self._labels = frozenset(labels)
        values = [(canonical_value(label), label) for label in self._labels]
        count = Counter(value for value, _ in values)
        self._by_value = {value: label for value, label in values if value is not None and count[value] == 1}
        if len(values) == len(_AS_NUMBER) and set(self._by_value) in (set(_AS_NUMBER), _NUMBERS):
            for truth_value, number in _AS_NUMBER.items():
                label = self._by_value.get(truth_value) or self._by_value[number]
                self._by_value |= {truth_value: label, number: label}

    def __getitem__(self, spelling: str) -> str:
        """Return the class for a spelling: the label itself, or the only label of the same value; else the spelling."""
        value = None if spelling in self._labels else canonical_value(spelling)
        return spelling if value is None else self._by_value.get(value, spelling)

    def merged(self, spellings: Iterable[str]) -> str | None:
        """Return a warning about spellings that differ from the name of their class; None if there are none."""
        by_label: dict[str, list[str]] = {}
        for spelling in sorted(set(spellings)):
            by_label.setdefault(self[spelling], []).append(spelling)
        differing = {label: found for label, found in by_label.items() if found != [label]}
        if not any(label in self._labels for label in differing):
            return None
        shown = [f"{label} (spelled {', '.join(found)})" for label, found in [*differing.items()][:SHOWN]]
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        return (
            f"labels with the same value are read as one class: {', '.join(shown)}{more}. If they are different "
            "classes, use names that are not numbers"
        )

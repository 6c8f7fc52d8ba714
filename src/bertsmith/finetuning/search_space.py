"""The space of `finetune --search`: the options to vary, and their values.

    learning_rate=1e-5..1e-4,batch_size=16|32|64,epochs

Ranges include both ends. A name without values takes a range around the default. In YAML and Python the space may also
be a mapping with lists of values: `{"batch_size": [16, 32, 64], "epochs": None}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from bertsmith.config.option_names import external_name, nearest
from bertsmith.config.options import validation_message
from bertsmith.records.search import Number


@dataclass(frozen=True)
class ValueRange:
    """All values from `low` to `high`; only whole numbers if the option is `whole`."""

    low: Number
    high: Number

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


@dataclass(frozen=True)
class DiscreteValues:
    """A list of values to choose from."""

    values: tuple[Number, ...]

    def __str__(self) -> str:
        return "|".join(map(str, self.values))


Values = ValueRange | DiscreteValues
Space = dict[str, Values | None]
"""None: a range around the default."""


@dataclass(frozen=True)
class SearchableOption:
    """How an option is searched: `log` on a logarithmic scale, `whole` by whole numbers."""

    log: bool = False
    whole: bool = False
    has_default_range: bool = False
    """Whether its name without values is enough."""


SEARCHABLE_OPTIONS: Mapping[str, SearchableOption] = MappingProxyType(
    {
        "learning_rate": SearchableOption(log=True, has_default_range=True),
        "epochs": SearchableOption(whole=True, has_default_range=True),
        "batch_size": SearchableOption(log=True, whole=True, has_default_range=True),
        "weight_decay": SearchableOption(has_default_range=True),
        "layer_decay": SearchableOption(),
        "freeze_layers": SearchableOption(whole=True),
        "lora_alpha": SearchableOption(log=True),
        "distil_weight": SearchableOption(),
        "distil_temperature": SearchableOption(log=True),
    }
)
"""All options that a search can vary."""

DEFAULT = ("learning_rate", "epochs", "batch_size")
"""The options that a search varies by default."""


def parse_space(given: object, fields: Mapping[str, FieldInfo]) -> Space:
    """Parse a space from its text, a mapping or a list of names; the `fields` of the schema check the values.

    Raises ValueError for the first mistake, with the entry, the value found and the value expected.
    """
    space: Space = {}
    for word, values in _entries(given):
        name = external_name(word, "_")
        if name not in SEARCHABLE_OPTIONS:
            raise ValueError(_not_searched(word.strip(), name, fields))
        if name in space:
            raise ValueError(f"{name}: found it twice, expected each option once")
        space[name] = _values(name, values, fields[name])
    if not space:
        raise ValueError(f"found nothing, expected some of {', '.join(SEARCHABLE_OPTIONS)}")
    return space


def space_text(space: Mapping[str, Values | None]) -> str:
    """Return the text of a space, which `parse_space` reads."""
    return ",".join(name if values is None else f"{name}={values}" for name, values in space.items())


def _entries(given: object) -> Iterable[tuple[str, object]]:
    """Return names with their values as given."""
    if isinstance(given, Mapping):
        return [(str(name), values) for name, values in given.items()]
    if isinstance(given, (list, tuple)):
        return [entry for part in given for entry in _entries(part)]
    if not isinstance(given, str):
        raise ValueError(f"found {given!r}, expected names with values, such as learning_rate=1e-5..1e-4")
    entries = [entry.partition("=") for entry in given.split(",") if entry.strip()]
    return [(name, values if equals else None) for name, equals, values in entries]


def _not_searched(word: str, name: str, fields: Mapping[str, FieldInfo]) -> str:
    reason = "cannot be searched" if name in fields else "is not an option"
    return f"{word!r} {reason}, expected some of {', '.join(SEARCHABLE_OPTIONS)}{nearest(name, SEARCHABLE_OPTIONS)}"


def _values(name: str, written: object, field: FieldInfo) -> Values | None:
    if written is None:
        if not SEARCHABLE_OPTIONS[name].has_default_range:
            raise ValueError(f"{name} has no default range. Try: a range, {name}=LOW..HIGH, or values, {name}=V|V|V")
        return None
    if isinstance(written, str) and ".." in written:
        low, _, high = written.partition("..")
        return _range(name, _value(name, low, field), _value(name, high, field))
    parts = written.split("|") if isinstance(written, str) else written
    listed = parts if isinstance(parts, (list, tuple)) else [parts]
    values = tuple(_value(name, part, field) for part in listed)
    if len(values) < 2:
        found = f"only one value ({values[0]})" if values else "no value"
        raise ValueError(
            f"{name}: found {found}, expected a range (LOW..HIGH) or several values (V|V|V). To fix the option, use "
            f"--{external_name(name)} instead"
        )
    if len(set(values)) < len(values):
        raise ValueError(f"{name}: found a value twice in {'|'.join(map(str, values))}, expected different values")
    return DiscreteValues(values)


def _range(name: str, low: Number, high: Number) -> ValueRange:
    if SEARCHABLE_OPTIONS[name].whole:
        for end in (low, high):
            if end != int(end):
                raise ValueError(f"{name}: found {end} as an end of a range, expected a whole number, or values: V|V|V")
        low, high = int(low), int(high)
    found = ValueRange(low, high)
    if low >= high:
        raise ValueError(f"{name}: found {found}, expected the lower end first: LOW..HIGH")
    return found


def _value(name: str, written: object, field: FieldInfo) -> Number:
    """Return a value that is valid for the option."""
    if isinstance(written, bool) or written is None:
        raise ValueError(f"{name}: found {written!r}, expected a number")
    text = written.strip() if isinstance(written, str) else written
    kind: Any = Annotated[field.annotation, *field.metadata]
    checked: TypeAdapter[Any] = TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))
    try:
        value: Number = checked.validate_python(text)
    except ValidationError as error:
        raise ValueError(f"{name}: {validation_message(error.errors()[0])}") from None
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else value

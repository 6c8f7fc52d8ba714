"""Options: one schema per verb defines its command line, its YAML keys and its Python arguments.

A schema is a frozen pydantic model. `Options.build` checks the given values and reports every mistake with the option,
the value found, the value expected, and the nearest name for a mistyped one. Users never see pydantic's own messages.

Names: a field is written `vocab_size` in Python and YAML (YAML also takes `vocab-size`) and `--vocab-size` on the
command line. A name that is a Python keyword gets a trailing underscore: `from_` is `--from`.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, ClassVar, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bertsmith.config import help_groups
from bertsmith.config.option_names import external_name, nearest
from bertsmith.config.valid_text import broken_argument
from bertsmith.errors import OptionError

_EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_unicode": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "path_type": "a path",
    "int_parsing_size": "a smaller number",
    "too_short": "at least one value",
}

SEED_LIMIT = 2**32
"""Seeds are below this limit of NumPy's random state, which transformers seeds."""


class Options(BaseModel):
    """Base of every verb's schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    positional: ClassVar[tuple[str, ...]] = ()
    """Fields given by position, in order; the last one may hold several values."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Boxes of `--help` (`config.help_groups`) and their fields, in order; also fields that only subclasses have."""

    non_utf8_fields: ClassVar[tuple[str, ...]] = ()
    """Fields whose values need not be UTF-8: paths of files whose names go through `sources.readable`."""

    names_in_other_tools: ClassVar[Mapping[str, str]] = {}
    """Replies to option names of other tools and of earlier versions (`config.tutorial_names`)."""

    explicit_defaults: ClassVar[tuple[str, ...]] = ()
    """Fields whose default has an effect if it is given explicitly."""

    repeated: ClassVar[tuple[str, ...]] = ()
    """Options that are repeated on the command line, once per value."""

    @model_validator(mode="before")
    @classmethod
    def _paths_as_text(cls, values: Any) -> Any:
        """Accept a Path in Python for an option that is text, such as a MODEL."""
        if not isinstance(values, Mapping):
            return values
        kinds = {name: (field.annotation, *get_args(field.annotation)) for name, field in cls.model_fields.items()}
        return {
            name: str(value) if isinstance(value, PurePath) and str in kinds.get(name, ()) else value
            for name, value in values.items()
        }

    @classmethod
    def build(cls, values: Mapping[str, Any], *, where: str = "") -> Self:
        """Return the checked options. Raises OptionError with one line per mistake; `where` begins each line."""
        given: dict[str, Any] = {}
        mistakes: list[str] = []
        for key, value in values.items():
            name = cls.field_of(str(key))
            if name is None:
                mistakes.append(f"{where}{cls.unknown_option_message(str(key), map(external_name, cls.model_fields))}")
            else:
                given[name] = value
                mistake = None if name in cls.non_utf8_fields else _not_utf8(value)
                if mistake is not None:
                    mistakes.append(f"{where}{_label(cls, name)}: {mistake}")
        if mistakes:
            raise OptionError("\n".join(mistakes))
        try:
            return cls.model_validate(cls.completed(given))
        except ValidationError as error:
            raise OptionError("\n".join(cls._mistakes(error, where))) from None

    @classmethod
    def field_of(cls, word: str) -> str | None:
        """Return the field of this name, in any spelling; None if there is none."""
        return next((name for name in cls.model_fields if external_name(name) == external_name(word)), None)

    @classmethod
    def completed(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the given values and those that a subclass adds, such as the options of a resumed run."""
        return given

    @classmethod
    def option_groups(cls) -> dict[str, list[str]]:
        """Return the boxes of `--help` with their fields; fields that no class of the schema groups are `OPTIONS`."""
        boxes = {}
        for title in help_groups.ORDER:
            names = dict.fromkeys(name for base in cls.__mro__ for name in vars(base).get("groups", {}).get(title, ()))
            boxes[title] = [name for name in names if name in cls.model_fields]
        grouped = {name for names in boxes.values() for name in names}
        boxes[help_groups.OPTIONS] = [name for name in (*cls.positional, *cls.model_fields) if name not in grouped]
        return {title: list(dict.fromkeys(names)) for title, names in boxes.items() if names}

    @classmethod
    def unknown_option_message(cls, word: str, known: Iterable[str]) -> str:
        """Return the message for an unknown name: the option to give instead, or the nearest of the known names."""
        reply = cls.names_in_other_tools.get(external_name(word, "_"))
        return f"there is no option '{word}'" + (f"; {reply}" if reply else nearest(word, known))

    @classmethod
    def _mistakes(cls, error: ValidationError, where: str) -> Iterable[str]:
        for mistake in error.errors():
            name = str(mistake["loc"][0]) if mistake["loc"] else ""
            label = _label(cls, name) if name else ""
            if mistake["type"] == "missing":
                field = cls.model_fields[name]
                yield f"{where}{label} is missing: {field.description}"
            else:
                yield (
                    f"{where}{label}: {validation_message(mistake)}"
                    if label
                    else f"{where}{validation_message(mistake)}"
                )

    def command_line(self, verb: str, *, leave_out: Collection[str] = ()) -> str:
        """Return the command that gives these options: positional ones, and those that differ from their default.

        `verb` may be two words, such as `finetune glue`.
        """
        words = ["bertsmith", *verb.split()]
        for name in self.positional:
            value = getattr(self, name)
            words += [str(part) for part in value] if isinstance(value, tuple) else [str(value)]
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            explicit = name in self.explicit_defaults and name in self.model_fields_set
            is_default = value is None or value is False or (value == field.default and not explicit)
            if is_default or name in self.positional or name in leave_out:
                continue
            words += [f"--{external_name(name)}"] + ([] if value is True else [_command_line_value(value)])
        return shlex.join(words)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON values, by their external names."""
        return {external_name(name, "_"): value for name, value in self.model_dump(mode="json").items()}


def _not_utf8(value: Any) -> str | None:
    """Return the message for a value that UTF-8 cannot encode; None for any other value."""
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(_not_utf8, value)), None)
    if not isinstance(value, (str, PurePath)) or (broken := broken_argument(str(value))) is None:
        return None
    return f"found {broken}, in {str(value)!a}; expected UTF-8. Try: type the text, or rename the file, in UTF-8"


def _command_line_value(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_command_line_value, value))
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _label(schema: type[Options], name: str) -> str:
    return name.upper() if name in schema.positional else f"--{external_name(name)}"


def validation_message(mistake: ErrorDetails) -> str:
    """Return the message for a mistake that pydantic reports: the value found and the value expected."""
    kind, context = mistake["type"], mistake.get("ctx", {})
    found = f"found {mistake.get('input')!r}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        choices = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return f"{found}, expected one of {', '.join(choices)}{nearest(str(mistake['input']), choices)}"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        sign = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below"}
        return f"{found}, expected {sign.get(kind, 'at most')} {next(iter(context.values()))}"
    return f"{found}, expected {_EXPECTED.get(kind, 'a value of a different type')}"


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the options in a YAML file. Raises OptionError if the file is missing, not YAML, or not a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"--config {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError(f"--config {path}: not YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"--config {path}: found {type(content).__name__}, expected lines of the form 'key: value'")
    return {str(key): value for key, value in content.items()}


def read_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the options given as `--set key=value`; values are read as YAML scalars and lists."""
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise OptionError(f"--set {text}: expected KEY=VALUE, for example --set batch-size=64")
        try:
            values[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise OptionError(f"--set {text}: expected a YAML scalar or list as the value") from None
    return values

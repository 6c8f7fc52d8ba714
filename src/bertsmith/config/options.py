"""Options: one schema a verb, the only source of its command line, its YAML keys and its Python arguments.

A schema is a frozen pydantic model. `Options.build` checks given values and answers every mistake in our own words:
which option, what was found, what was expected, and the nearest name for a mistyped one. pydantic's own error
text reaches nobody.

Names: a field is written `vocab_size` in Python and YAML (`vocab-size` is accepted there too) and `--vocab-size` on
the command line. A name that is a Python keyword carries a trailing underscore: `from_` is `--from`.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, ClassVar, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

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

SEEDS = 2**32
"""Seeds are below this: NumPy's random state, which transformers seeds, takes no larger one."""


class Options(BaseModel):
    """The base of every verb's schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    positional: ClassVar[tuple[str, ...]] = ()
    """The fields that are given by position, in their order; the last may hold several values."""

    non_utf8_fields: ClassVar[tuple[str, ...]] = ()
    """The fields whose values need not be UTF-8: paths of files whose names go through `sources.readable`."""

    names_in_other_tools: ClassVar[Mapping[str, str]] = {}
    """The answer to the name of an option of other tools (`config.tutorial_names`)."""

    says_more_if_given: ClassVar[tuple[str, ...]] = ()
    """The fields whose default, given explicitly, says more than the default left out."""

    repeated: ClassVar[tuple[str, ...]] = ()
    """The other fields that hold several values: their option is given once for each."""

    @model_validator(mode="before")
    @classmethod
    def _paths_for_texts(cls, values: Any) -> Any:
        """In Python a MODEL may be given as a Path, although its type is the text of a name."""
        if not isinstance(values, Mapping):
            return values
        kinds = {name: (field.annotation, *get_args(field.annotation)) for name, field in cls.model_fields.items()}
        return {
            name: str(value) if isinstance(value, PurePath) and str in kinds.get(name, ()) else value
            for name, value in values.items()
        }

    @classmethod
    def build(cls, values: Mapping[str, Any], *, where: str = "") -> Self:
        """The checked options. Raises OptionError with one line for every mistake; `where` leads each (a file)."""
        given: dict[str, Any] = {}
        mistakes: list[str] = []
        for key, value in values.items():
            name = cls.field_of(str(key))
            if name is None:
                mistakes.append(f"{where}{cls.unknown_option_message(str(key), map(external_name, cls.model_fields))}")
            else:
                given[name] = value
                broken = None if name in cls.non_utf8_fields else _broken(value)
                if broken is not None:
                    mistakes.append(f"{where}{_label(cls, name)}: {broken}")
        if mistakes:
            raise OptionError("\n".join(mistakes))
        try:
            return cls.model_validate(cls.completed(given))
        except ValidationError as error:
            raise OptionError("\n".join(cls._mistakes(error, where))) from None

    @classmethod
    def field_of(cls, word: str) -> str | None:
        """The field of this name, in any spelling; None if there is none."""
        return next((name for name in cls.model_fields if external_name(name) == external_name(word)), None)

    @classmethod
    def completed(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The given values, with those that a schema knows from elsewhere."""
        return given

    @classmethod
    def unknown_option_message(cls, word: str, known: Iterable[str]) -> str:
        """The message for an unknown name: what to give instead, or the nearest of the known names."""
        elsewhere = cls.names_in_other_tools.get(external_name(word, "_"))
        return f"there is no option '{word}'" + (f"; {elsewhere}" if elsewhere else nearest(word, known))

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
        """The command that gives these options: the positional ones, and those that differ from their default.

        `verb` may be of two words, such as `finetune glue`.
        """
        words = ["bertsmith", *verb.split()]
        for name in self.positional:
            value = getattr(self, name)
            words += [str(part) for part in value] if isinstance(value, tuple) else [str(value)]
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            insisted = name in self.says_more_if_given and name in self.model_fields_set
            plain = value is None or value is False or (value == field.default and not insisted)
            if plain or name in self.positional or name in leave_out:
                continue
            words += [f"--{external_name(name)}"] + ([] if value is True else [_word(value)])
        return shlex.join(words)

    def to_dict(self) -> dict[str, Any]:
        """The resolved options as JSON values, with their external names."""
        return {external_name(name, "_"): value for name, value in self.model_dump(mode="json").items()}


def _broken(value: Any) -> str | None:
    """What is wrong with a value that holds what UTF-8 cannot hold; None for any other."""
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(_broken, value)), None)
    if not isinstance(value, (str, PurePath)) or (broken := broken_argument(str(value))) is None:
        return None
    return f"found {broken}, in {str(value)!a}; expected UTF-8. Try: type the text, or rename the file, in UTF-8"


def _word(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, tuple):
        return ",".join(map(_word, value))
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _label(schema: type[Options], name: str) -> str:
    return name.upper() if name in schema.positional else f"--{external_name(name)}"


def validation_message(mistake: ErrorDetails) -> str:
    """A mistake of pydantic in our own words: what was found, and what was expected."""
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
    return f"{found}, expected {_EXPECTED.get(kind, 'a value of another kind')}"


def read_yaml(path: Path) -> dict[str, Any]:
    """The options in a YAML file. Raises OptionError if the file is missing, not YAML, or not a mapping."""
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
    """The options given as `--set key=value`; values are read as YAML scalars and lists."""
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise OptionError(f"--set {text}: expected key=value, for example --set batch-size=64")
        try:
            values[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise OptionError(f"--set {text}: the value is not a YAML scalar or list") from None
    return values

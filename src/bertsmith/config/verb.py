"""Verbs as Python functions: one function a verb, called with its options or with their values.

    bertsmith.pretrain("data/books", out="runs/books", size="mini", minutes=5)
    bertsmith.pretrain(PretrainOptions(store=..., out=...))

`help(bertsmith.pretrain)` shows every option, because the signature is made from the schema.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_origin

from pydantic_core import PydanticUndefined

from bertsmith.config.options import Options
from bertsmith.errors import OptionError

OptionsType = TypeVar("OptionsType", bound=Options)
ResultType = TypeVar("ResultType")


class Result:
    """The base of what verbs return: a dataclass whose `to_dict()` is the verb's JSON.

    A field in `omitted_if_none` is in it only if it has a value.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        assert is_dataclass(self)
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None or name not in self.omitted_if_none}


def _plain(value: Any) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def verb(
    schema: type[OptionsType],
) -> Callable[[Callable[[OptionsType], ResultType]], Callable[..., ResultType]]:
    """Make a function of options callable with an Options object or with the options' values."""

    def decorate(function: Callable[[OptionsType], ResultType]) -> Callable[..., ResultType]:
        @functools.wraps(function)
        def call(*args: Any, **values: Any) -> ResultType:
            if len(args) == 1 and not values and isinstance(args[0], schema):
                return function(args[0])
            return function(schema.build(_by_name(schema, args, values)))

        call.__signature__ = signature(schema)  # type: ignore[attr-defined]
        lines = [f"    {name}: {field.description}" for name, field in schema.model_fields.items()]
        call.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Options:", *lines])
        return call

    return decorate


def _by_name(schema: type[Options], args: tuple[Any, ...], values: dict[str, Any]) -> dict[str, Any]:
    """Positional values under their names; the last positional option takes all that are left."""
    given = dict(values)
    names = schema.positional
    for position, name in enumerate(names):
        if position >= len(args):
            break
        if is_multivalued(schema, name):
            rest = args[position:]
            given[name] = tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], (list, tuple)) else rest
            return given
        given[name] = args[position]
    if len(args) > len(names):
        raise OptionError(
            f"{len(args)} values are given by position, expected at most {len(names)}: {', '.join(names)}"
        )
    return given


def is_multivalued(schema: type[Options], name: str) -> bool:
    """Whether an option holds several values."""
    annotation = schema.model_fields[name].annotation
    return get_origin(annotation) is tuple and name in (*schema.positional, *schema.repeated)


def signature(schema: type[Options]) -> inspect.Signature:
    """The signature of a verb in Python."""
    positional, keyword = [], []
    for name, field in schema.model_fields.items():
        default = inspect.Parameter.empty if field.default is PydanticUndefined else field.default
        if name in schema.positional:
            many = is_multivalued(schema, name)
            kind = inspect.Parameter.VAR_POSITIONAL if many else inspect.Parameter.POSITIONAL_OR_KEYWORD
            default = inspect.Parameter.empty if many else default
            positional.append(inspect.Parameter(name, kind, default=default, annotation=field.annotation))
        else:
            parameter = inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.annotation
            )
            keyword.append(parameter)
    positional.sort(key=lambda parameter: schema.positional.index(parameter.name))
    return inspect.Signature([*positional, *keyword])

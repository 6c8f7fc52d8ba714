"""A verb on the command line: its schema becomes its parameters, its result one JSON object or text for people.

cyclopts parses and prints the help; only the schema decides on the values, so that a mistake reads the same from the
command line, YAML and Python. Values are merged in this order, later ones winning: `--config FILE`, `--set key=value`,
the options themselves.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar, get_args, get_origin

from cyclopts import (
    App,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    RepeatArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)
from pydantic_core import PydanticUndefined

from bertsmith.config.option_names import external_name
from bertsmith.config.options import Options, read_assignments, read_yaml
from bertsmith.config.verb import is_multivalued
from bertsmith.errors import OptionError
from bertsmith.runtime import processes
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.registry import verbs

OptionsType = TypeVar("OptionsType", bound=Options)


class Answer(Protocol):
    """What a verb returns."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        ...


@dataclass(frozen=True)
class Command(Generic[OptionsType]):
    """A verb: its schema, its function (which imports what it needs when it is called), and how a person reads it."""

    name: str
    summary: str
    schema: type[OptionsType]
    run: Callable[[OptionsType], Iterable[Answer]]
    show: Callable[[Any], str]
    example: str
    many_processes: bool = False
    """Whether the verb runs under torchrun; the first process prints."""
    words: Mapping[str, Command[Any]] = field(default_factory=dict)
    """The commands that a word after the verb's name selects: `finetune glue`."""


def command_of(verb: str) -> Command[Any]:
    """The command of a verb: of a task's from the declaration in its folder, of any other from its module here."""
    task = verbs().get(verb)
    if task is None:
        command: Command[Any] = importlib.import_module(f"bertsmith.cli.{verb.replace('-', '_')}").COMMAND
        return command
    declared: TaskCommand[Any, Any] = task.module("command").COMMAND
    run = partial(_predicted, declared)
    return Command(verb, declared.summary, declared.schema, run, declared.show, declared.example)


def _predicted(declared: TaskCommand[Any, Any], options: Any) -> Iterable[Answer]:
    """The answers of a task's verb."""
    inputs = declared.read(options, declared.name)
    from bertsmith.verbs.predict import load

    yield from declared.predict(load(options.model, precision=options.precision), options, inputs)


_LINE_ENDS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\u0085\u2028\u2029"}
"""JSON leaves these as they are, but many readers take them for the end of a line; in JSON they are in texts only."""


def execute(command: Command[Any], tokens: Sequence[str]) -> int:
    """Parse, check, run, print. Raises BertsmithError for every mistake."""
    if tokens and tokens[0] in command.words:
        return execute(command.words[tokens[0]], tokens[1:])
    app = _app(command)
    try:
        called, bound, _ = app.parse_args(list(tokens), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        if command.words and not tokens[0].startswith("-"):
            _refuse_word(command, tokens[0])
        raise OptionError(f"{_in_our_words(error, command.schema)} (bertsmith {command.name} --help)") from None
    if called is not _target:
        called(*bound.args, **bound.kwargs)
        return 0
    given = dict(bound.arguments)
    as_json = bool(given.pop("json", False))
    values: dict[str, Any] = {}
    if "config" in given:
        file = Path(given.pop("config"))
        values |= _checked_keys(command.schema, read_yaml(file), f"--config {file}: ")
    values |= _checked_keys(command.schema, read_assignments(given.pop("set_", ())), "--set: ")
    values |= given
    options = command.schema.build(values)
    if processes.world_size() > 1 and not command.many_processes:
        raise OptionError(f"{command.name} runs in one process; found {processes.world_size()} of torchrun's")
    for answer in command.run(options):
        if not processes.is_main():
            continue
        if as_json:
            line = json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False)
            sys.stdout.write(line.translate(_LINE_ENDS) + "\n")
        else:
            sys.stdout.write(command.show(answer).rstrip() + "\n")
        sys.stdout.flush()
    return 0


def _refuse_word(command: Command[Any], word: str) -> None:
    """Raise OptionError for a first word that the verb does not take; its options may be of another command."""
    first = command.schema.positional[0]
    try:
        command.schema.build({first: word})
    except OptionError as error:
        for line in str(error).splitlines():
            if line.startswith(f"{first.upper()}: "):
                raise OptionError(f"{line} (bertsmith {command.name} --help)") from None


def _target(*args: Any, **values: Any) -> None:
    """What cyclopts takes for the function of the verb; it is never called."""


def _raw(kind: Any, tokens: Sequence[Any]) -> str | list[str]:
    """Values as they were written."""
    return [token.value for token in tokens] if "list" in str(kind) else tokens[-1].value


def _common(name: str, text: str, **more: Any) -> Parameter:
    return Parameter(name=name, negative=(), show_default=False, help=text, **more)


_COMMON: dict[str, tuple[Any, Any]] = {
    "json": (Annotated[bool, _common("--json", "print one JSON object on standard output")], False),
    "config": (
        Annotated[str | None, _common("--config", "read options from this YAML file", converter=_raw, metavar="FILE")],
        None,
    ),
    "set_": (
        Annotated[
            list[str] | None,
            _common("--set", "set one option; may be repeated", converter=_raw, metavar="KEY=VALUE"),
        ],
        None,
    ),
}
"""The options of every verb that are the command line's own."""


def _app(command: Command[Any]) -> App:
    parameters = [_parameter(command.schema, name) for name in (*command.schema.positional, *_keywords(command.schema))]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _COMMON.items()
    ]
    _target.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    _target.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = App(
        name=f"bertsmith {command.name}",
        usage=f"Usage: bertsmith {command.name} {_usage(command.schema)}",
        help=command.summary,
        help_epilogue=f"Example:\n\n{command.example}",
        help_format="plaintext",
        version_flags=(),
        result_action="return_value",
    )
    app.default(_target)
    return app


def _usage(schema: type[Options]) -> str:
    """`STORE --out OUT [OPTIONS]`: the positional and the required options."""
    words = [f"{name.upper()}..." if is_multivalued(schema, name) else name.upper() for name in schema.positional]
    for name in _keywords(schema):
        if schema.model_fields[name].default is PydanticUndefined:
            words.append(f"--{external_name(name)} {name.strip('_').upper()}")
    return " ".join([*words, "[OPTIONS]"])


def _keywords(schema: type[Options]) -> list[str]:
    return [name for name in schema.model_fields if name not in schema.positional]


def _parameter(schema: type[Options], name: str) -> inspect.Parameter:
    """A field as a parameter: shown with its default, never required here (a YAML file may hold it)."""
    field = schema.model_fields[name]
    required = field.default is PydanticUndefined
    default = None if required or field.default == () else field.default
    choices, kind = choices_of(field.annotation), kind_of(field.annotation)
    notes = [" (required)" if required else "", f" [{', '.join(choices)}]" if choices else ""]
    text = f"{field.description}{''.join(notes)}"
    positional = name in schema.positional
    flag = external_name(name).upper() if positional else f"--{external_name(name)}"
    if field.annotation is bool:
        annotation: Any = Annotated[bool, Parameter(name=flag, negative=(), help=text, show_default=False)]
    else:
        # Every value arrives as it was written: only the schema converts and checks.
        default = None if default is None else _shown(default)
        spec = Parameter(
            name=flag, converter=_raw, negative=(), help=text, show_default=default is not None, metavar=kind
        )
        annotation = Annotated[(list[str] if is_multivalued(schema, name) else str) | None, spec]
    where = inspect.Parameter.POSITIONAL_ONLY if positional else inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, where, default=default, annotation=annotation)


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal, also of one that may be None."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := choices_of(part))), ())


def kind_of(annotation: Any) -> str:
    """What the help shows for a value."""
    parts = {annotation, *get_args(annotation)}
    if any(get_args(part) == (int, float) for part in parts):
        return "N,SHARE"
    if get_origin(annotation) is tuple:
        return "P,P,P" if float in parts else "TEXT"
    named = {float: "NUMBER", int: "N", Path: "PATH"}
    return next((word for kind, word in named.items() if kind in parts), "CHOICE" if choices_of(annotation) else "TEXT")


def _shown(value: Any) -> str:
    return ",".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)


def _checked_keys(schema: type[Options], values: dict[str, Any], where: str) -> dict[str, Any]:
    """The values under their field names; raises OptionError for an unknown key, with its place."""
    checked = {}
    for key, value in values.items():
        name = schema.field_of(key)
        if name is None:
            schema.build({key: value}, where=where)
        else:
            checked[name] = value
    return checked


def _in_our_words(error: CycloptsError, schema: type[Options]) -> str:
    """A mistake in the form of a command line."""
    if isinstance(error, UnknownOptionError):
        word = error.token.keyword or error.token.value
        if " " in word:
            return f"{word!r} begins with a hyphen like an option; a text that does so goes behind --"
        return schema.unknown_option_message(word, map(external_name, (*_keywords(schema), *_COMMON)))
    if isinstance(error, UnusedCliTokensError):
        return f"found more values than expected: {' '.join(error.unused_tokens or ())}"
    if isinstance(error, RepeatArgumentError):
        return f"{error.token.keyword} is given more than once"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return f"{error.keyword or error.argument.name} needs a value behind it"
    return " ".join(str(error).split()).rstrip(".")

"""A verb on the command line: its schema gives the options, its result is printed as JSON or as text.

cyclopts parses the arguments and prints the help. Only the schema checks values, so that a mistake reads the same on
the command line, in YAML and in Python. Values are merged in this order, later ones win: `--config FILE`,
`--set key=value`, the options themselves.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar, get_args, get_origin

from cyclopts import (
    App,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    RepeatArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)
from pydantic_core import PydanticUndefined

from bertsmith.config import help_groups
from bertsmith.config.option_names import external_name
from bertsmith.config.options import Options, read_assignments, read_yaml
from bertsmith.config.verb import is_multivalued
from bertsmith.errors import OptionError
from bertsmith.runtime import processes
from bertsmith.runtime.console import log_to_terminal
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.registry import task_verbs

OptionsType = TypeVar("OptionsType", bound=Options)


class Answer(Protocol):
    """The result of a verb."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        ...


@dataclass(frozen=True)
class Command(Generic[OptionsType]):
    """A verb: its schema, its function (which imports its modules when it is called), and its text for people."""

    name: str
    summary: str
    schema: type[OptionsType]
    run: Callable[[OptionsType], Iterable[Answer]]
    show: Callable[[Any], str]
    example: str
    many_processes: bool = False
    """Whether the verb runs under torchrun. Only the first process prints."""
    words: Mapping[str, Command[Any]] = field(default_factory=dict)
    """The commands that a word after the verb's name selects: `finetune glue`."""


def command_of(verb: str) -> Command[Any]:
    """Return the command of a verb, declared in the folder of its task or in a module of this package."""
    task = task_verbs().get(verb)
    if task is None:
        command: Command[Any] = importlib.import_module(f"bertsmith.cli.{verb.replace('-', '_')}").COMMAND
        return command
    declared: TaskCommand[Any, Any] = task.module("command").COMMAND
    run = partial(_predicted, declared)
    return Command(verb, declared.summary, declared.schema, run, declared.show, declared.example)


def _predicted(declared: TaskCommand[Any, Any], options: Any) -> Iterable[Answer]:
    """Yield the answers of a task's verb."""
    inputs = declared.read(options, declared.name)
    from bertsmith.verbs.predict import load

    yield from declared.predict(load(options.model, precision=options.precision), options, inputs)


_LINE_ENDS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\u0085\u2028\u2029"}
"""Escapes for characters that JSON allows in texts, but that many readers take for the end of a line."""


def execute(command: Command[Any], tokens: Sequence[str]) -> int:
    """Parse and check the arguments, run the verb, print its answers. Raises BertsmithError for every mistake."""
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
    if given.pop("verbose", False):
        log_to_terminal(verbose=True)
    values: dict[str, Any] = {}
    if "config" in given:
        file = Path(given.pop("config"))
        values |= _checked_keys(command.schema, read_yaml(file), f"--config {file}: ")
    values |= _checked_keys(command.schema, read_assignments(given.pop("set_", ())), "--set: ")
    values |= given
    options = command.schema.build(values)
    if processes.world_size() > 1 and not command.many_processes:
        raise OptionError(
            f"{command.name} runs in one process, found {processes.world_size()}. Try: leave out torchrun"
        )
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
    """Raise OptionError if the first word is neither a command nor a value that the verb takes.

    This comes before any complaint about options, which may be those of the intended command.
    """
    first = command.schema.positional[0]
    try:
        command.schema.build({first: word})
    except OptionError as error:
        for line in str(error).splitlines():
            if line.startswith(f"{first.upper()}: "):
                raise OptionError(f"{line} (bertsmith {command.name} --help)") from None


def _target(*args: Any, **values: Any) -> None:
    """Replace the function of the verb; cyclopts reads its signature and never calls it."""


def _raw(kind: Any, tokens: Sequence[Any]) -> str | list[str]:
    """Return the values as the user typed them."""
    return [token.value for token in tokens] if "list" in str(kind) else tokens[-1].value


HELP_WIDTH = 78
_GROUPS = {title: Group(title, sort_key=place) for place, title in enumerate(help_groups.ORDER)}
"""The boxes of `--help`."""


def _common(name: str, text: str, **more: Any) -> Parameter:
    return Parameter(name=name, negative=(), show_default=False, help=text, group=_GROUPS[help_groups.SETTINGS], **more)


_COMMON: dict[str, tuple[Any, Any]] = {
    "json": (Annotated[bool, _common("--json", "print each result as one line of JSON on standard output")], False),
    "verbose": (
        Annotated[
            bool, _common("--verbose", "also print each automatic choice with its reason, and facts of the data")
        ],
        False,
    ),
    "config": (
        Annotated[
            str | None,
            _common("--config", "YAML file of options; --set and options override it", converter=_raw, metavar="FILE"),
        ],
        None,
    ),
    "set_": (
        Annotated[
            list[str] | None,
            _common(
                "--set",
                "set an option by its name in YAML; overrides --config, but not the option itself; may be repeated",
                converter=_raw,
                metavar="KEY=VALUE",
            ),
        ],
        None,
    ),
}
"""The options that every verb has on the command line only."""


def _app(command: Command[Any]) -> App:
    boxes = command.schema.option_groups()
    box_of = {name: _GROUPS[title] for title, names in boxes.items() for name in names}
    named = [name for names in boxes.values() for name in names if name not in command.schema.positional]
    parameters = [_parameter(command.schema, name, box_of[name]) for name in (*command.schema.positional, *named)]
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
        help_epilogue=f"Example:\n\n{_folded(command.example)}",
        help_format="plaintext",
        version_flags=(),
        group_commands=_GROUPS[help_groups.SETTINGS],
        result_action="return_value",
    )
    app["--help"].help = "show this help and exit"
    app.default(_target)
    return app


def _folded(command_line: str) -> str:
    """Return a command in lines of at most 78 characters, so that it can be copied from a terminal of 80 columns."""
    first, *options = re.split(r" (?=--)", command_line)
    lines = [first]
    for option in options:
        if len(f"{lines[-1]} {option}") + 2 <= HELP_WIDTH:
            lines[-1] += f" {option}"
        else:
            lines.append(f"  {option}")
    return " \\\n".join(lines)


def _usage(schema: type[Options]) -> str:
    """Return the usage line with the positional and the required options: `STORE --out OUT [OPTIONS]`."""
    words = [f"{name.upper()}..." if is_multivalued(schema, name) else name.upper() for name in schema.positional]
    for name in _keywords(schema):
        if schema.model_fields[name].default is PydanticUndefined:
            words.append(f"--{external_name(name)} {name.strip('_').upper()}")
    return " ".join([*words, "[OPTIONS]"])


def _keywords(schema: type[Options]) -> list[str]:
    return [name for name in schema.model_fields if name not in schema.positional]


def _parameter(schema: type[Options], name: str, group: Group) -> inspect.Parameter:
    """Return a field as a parameter. It is never required here, because a YAML file may hold it."""
    field = schema.model_fields[name]
    required = field.default is PydanticUndefined
    choices, kind = choices_of(field.annotation), kind_of(field.annotation)
    notes = [" (required)" if required else "", f" [{', '.join(choices)}]" if choices else ""]
    default = "" if required else shown_default(field.default)
    notes.append(f" (default: {default})" if default else "")
    positional = name in schema.positional
    flag = external_name(name).upper() if positional else f"--{external_name(name)}"
    spec = Parameter(
        name=flag, negative=(), help=f"{field.description}{''.join(notes)}", show_default=False, group=group
    )
    if field.annotation is bool:
        annotation: Any = Annotated[bool, spec]
    else:
        # The values stay text: only the schema converts and checks them.
        spec = Parameter.combine(spec, Parameter(converter=_raw, metavar=kind))
        annotation = Annotated[(list[str] if is_multivalued(schema, name) else str) | None, spec]
    where = inspect.Parameter.POSITIONAL_ONLY if positional else inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, where, default=False if field.annotation is bool else None, annotation=annotation)


def choices_of(annotation: Any) -> tuple[str, ...]:
    """Return the values of a Literal, also if it may be None."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := choices_of(part))), ())


def kind_of(annotation: Any) -> str:
    """Return the placeholder of a value in the help: `N`, `PATH`, `TEXT`."""
    parts = {annotation, *get_args(annotation)}
    if any(get_args(part) == (int, float) for part in parts):
        return "N,SHARE"
    if get_origin(annotation) is tuple:
        return "P,P,P" if float in parts else "TEXT"
    named = {float: "NUMBER", int: "N", Path: "PATH"}
    return next((word for kind, word in named.items() if kind in parts), "CHOICE" if choices_of(annotation) else "TEXT")


def shown_default(value: Any) -> str:
    """Return a default as it is written on the command line; nothing for a flag or an option without a default."""
    if value is None or value is False:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(shown_default, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _checked_keys(schema: type[Options], values: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the values by field name. Raises OptionError with its place for an unknown key."""
    checked = {}
    for key, value in values.items():
        name = schema.field_of(key)
        if name is None:
            schema.build({key: value}, where=where)
        else:
            checked[name] = value
    return checked


def _in_our_words(error: CycloptsError, schema: type[Options]) -> str:
    """Describe a mistake in the form of the command line."""
    if isinstance(error, UnknownOptionError):
        word = error.token.keyword or error.token.value
        if " " in word:
            return f"{word!r} begins with a hyphen, like an option. Try: -- before this text"
        return schema.unknown_option_message(word, map(external_name, (*_keywords(schema), *_COMMON)))
    if isinstance(error, UnusedCliTokensError):
        return f"found more values than expected: {' '.join(error.unused_tokens or ())}"
    if isinstance(error, RepeatArgumentError):
        return f"{error.token.keyword} is given more than once, expected once"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return f"{error.keyword or error.argument.name} needs a value"
    return " ".join(str(error).split()).rstrip(".")

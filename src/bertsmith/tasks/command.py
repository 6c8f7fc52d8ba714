"""The declaration of a task's verb, from which the command line is built: `COMMAND` in the `command.py` of its folder.

`read` comes before the model is loaded, so that a mistake in the inputs is answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bertsmith.config.options import Options
from bertsmith.config.verb import Result
from bertsmith.tasks.runner import Runner

OptionsType = TypeVar("OptionsType", bound=Options)
InputsType = TypeVar("InputsType")
A_TEXT = '"A text."'


@dataclass(frozen=True)
class TaskCommand(Generic[OptionsType, InputsType]):
    """A verb that predicts.

    Attributes:
        name: as on the command line.
        summary: what it answers, for its help.
        schema: its options; `model` and `precision` are among them.
        read: the inputs that the options name; it is given the verb too, for messages.
        predict: the results for the inputs, in their order.
        show: a result for people.
        example: a command line, for its help.
        arguments: what it takes after a MODEL with this config.json, for the command that a training suggests next.
    """

    name: str
    summary: str
    schema: type[OptionsType]
    read: Callable[[OptionsType, str], InputsType]
    predict: Callable[[Runner, OptionsType, InputsType], Iterable[Result]]
    show: Callable[[Any], str]
    example: str
    arguments: Callable[[Mapping[str, Any]], str] = lambda config: A_TEXT

"""The declaration of a task's verb: `COMMAND` in the `command.py` of its folder. The command line is built from it.

`read` runs before the model is loaded, so mistakes in the inputs are reported immediately.
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
        name: the verb on the command line.
        summary: what the verb answers, for its help.
        schema: its options, including `model` and `precision`.
        read: reads the inputs that the options name; also receives the verb, for messages.
        predict: returns the results for the inputs, in their order.
        show: formats a result for the terminal.
        example: a command line, for its help.
        arguments: example arguments for a MODEL with this config.json, for the next command that a training suggests.
    """

    name: str
    summary: str
    schema: type[OptionsType]
    read: Callable[[OptionsType, str], InputsType]
    predict: Callable[[Runner, OptionsType, InputsType], Iterable[Result]]
    show: Callable[[Any], str]
    example: str
    arguments: Callable[[Mapping[str, Any]], str] = lambda config: A_TEXT

"""The declaration of a task's verb: `COMMAND` in the `command.py` of its folder. The command line is built from it.

`read` runs before the model is loaded, so that a mistake in the inputs is reported at once.
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
        name: name on the command line.
        summary: first sentence of its help.
        schema: options, with `model` and `precision`.
        read: function from the options, and the verb for messages, to the inputs.
        predict: function from the model, options and inputs to the results, in the order of the inputs.
        show: function from a result to text for people.
        example: command line for its help.
        arguments: function from a config.json to the arguments after its MODEL, for the command suggested next.
    """

    name: str
    summary: str
    schema: type[OptionsType]
    read: Callable[[OptionsType, str], InputsType]
    predict: Callable[[Runner, OptionsType, InputsType], Iterable[Result]]
    show: Callable[[Any], str]
    example: str
    arguments: Callable[[Mapping[str, Any]], str] = lambda config: A_TEXT

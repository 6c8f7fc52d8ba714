"""bertsmith choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from bertsmith.config import help_groups
from bertsmith.config.shared_options import MaxLength, Precision
from bertsmith.config.verb import Result
from bertsmith.errors import OptionError
from bertsmith.reporting.numbers import counted, percent
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import warn_of_blank_lines
from bertsmith.tasks.predict_options import ModelOptions
from bertsmith.tasks.runner import Runner

PromptWithChoices = tuple[str, Sequence[str]] | None
"""None for a blank line."""


class ChooseOptions(ModelOptions):
    """Choose the text that fits a prompt best."""

    positional: ClassVar[tuple[str, ...]] = ("model",)
    repeated: ClassVar[tuple[str, ...]] = ("choice",)
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {help_groups.INPUT_OUTPUT: ("model", "prompt", "choice", "input")}

    prompt: str | None = Field(None, description="prompt or question")
    choice: tuple[str, ...] = Field((), description="text to choose from; repeat the option, at least two are needed")
    input: Path | None = Field(
        None, description="file of JSON lines with prompt and choices, instead of --prompt and --choice"
    )
    max_length: MaxLength = None
    precision: Precision = "fp32"


def _read(options: ChooseOptions, verb: str) -> list[PromptWithChoices]:
    from bertsmith.tasks.multiple_choice.choice_file import read_prompts

    if options.input is not None:
        if options.prompt is not None or options.choice:
            raise OptionError(f"{verb}: found a prompt as an option and --input, expected one of the two")
        return list(read_prompts(options.input))
    if options.prompt is None or len(options.choice) < 2:
        prompt = "no prompt" if options.prompt is None else "a prompt"
        raise OptionError(
            f"{verb}: found {prompt} and {counted(len(options.choice), 'choice')}, expected a prompt and 2 choices or "
            f'more. Try: bertsmith {verb} MODEL --prompt "..." --choice "..." --choice "...", or --input FILE'
        )
    if not options.prompt.strip() or not all(choice.strip() for choice in options.choice):
        raise OptionError(f"{verb}: found an empty prompt or choice, expected text")
    return [(options.prompt, options.choice)]


def _predict(model: Runner, options: ChooseOptions, lines: list[PromptWithChoices]) -> Iterable[Result]:
    from bertsmith.tasks.multiple_choice.predict import PredictedChoice, choose

    questions = [line for line in lines if line is not None]
    prompts, choices = [prompt for prompt, _ in questions], [choices for _, choices in questions]
    answers = iter(choose(model, prompts, choices, max_length=options.max_length))
    warn_of_blank_lines(lines.count(None), len(lines))
    for line in lines:
        yield next(answers) if line is not None else PredictedChoice("")


def _show(result: Any) -> str:
    if result.index is None:
        return f"{result.prompt or 'blank line'}: no choice"
    share = percent(result.probabilities[result.index])
    return f"{share:>6}  {result.choice}   (choice {result.index} for: {result.prompt})"


COMMAND = TaskCommand(
    "choose",
    "Choose the text that fits a prompt best, with the probability of each choice.",
    ChooseOptions,
    _read,
    _predict,
    _show,
    'bertsmith choose runs/endings --prompt "He opened the door." --choice "The room was dark." --choice "It rained."',
    arguments=lambda config: '--prompt "A text." --choice "One ending." --choice "A different ending."',
)

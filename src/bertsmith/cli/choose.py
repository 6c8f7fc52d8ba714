"""bertsmith choose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.inputs import warn_of_blank_lines
from bertsmith.errors import OptionError
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.predict_options import ChooseOptions


def _run(options: ChooseOptions) -> Iterable[Answer]:
    from bertsmith.inference.results import Choice
    from bertsmith.tasks.multiple_choice.choice_file import read_prompts
    from bertsmith.verbs.predict import load

    if options.input is not None:
        if options.prompt is not None or options.choice:
            raise OptionError("choose: a prompt is given as an option and with --input; give one of them")
        lines = list(read_prompts(options.input))
    else:
        if options.prompt is None or len(options.choice) < 2:
            raise OptionError(
                f"choose: found {'no' if options.prompt is None else 'a'} prompt and {len(options.choice)} choices; "
                'give bertsmith choose MODEL --prompt "..." --choice "..." --choice "...", or --input FILE'
            )
        if not options.prompt.strip() or not all(choice.strip() for choice in options.choice):
            raise OptionError("choose: the prompt or a choice is empty")
        lines = [(options.prompt, options.choice)]
    model = load(options.model, precision=options.precision)
    questions = [line for line in lines if line is not None]
    prompts, choices = [prompt for prompt, _ in questions], [choices for _, choices in questions]
    answers = iter(model.choose(prompts, choices, max_length=options.max_length))
    warn_of_blank_lines(lines.count(None), len(lines))
    for line in lines:
        yield next(answers) if line is not None else Choice("")


def _show(result: Any) -> str:
    if result.index is None:
        return f"{result.prompt or 'blank line'}: no choice"
    share = percent(result.probabilities[result.index])
    return f"{share:>6}  {result.choice}   (choice {result.index} for: {result.prompt})"


COMMAND = Command(
    "choose",
    "Which of several texts goes with a prompt, with the probability of each.",
    ChooseOptions,
    _run,
    _show,
    'bertsmith choose runs/endings --prompt "He opened the door." --choice "The room was dark." --choice "It rained."',
)

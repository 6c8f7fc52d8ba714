"""choose: which of several texts goes with a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

from bertsmith.config.verb import Result
from bertsmith.errors import InputError
from bertsmith.tasks.multiple_choice.encoding import encode_choices
from bertsmith.tasks.multiple_choice.task import probabilities
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.text_checks import check_texts, indices_with_tokens, warn_truncated

NAME = "multiple-choice"


@dataclass(frozen=True)
class Choice(Result):
    """The choice that goes with a prompt, its index from 0, and the probability of each choice in their order.

    All three are None if the prompt or a choice has no token.
    """

    prompt: str
    choice: str | None = None
    index: int | None = None
    probabilities: list[float] | None = None
    truncated_tokens: int = 0


@overload
def choose(runner: Runner, prompt: str, choices: Sequence[str], *, max_length: int | None = None) -> Choice: ...
@overload
def choose(
    runner: Runner, prompt: list[str], choices: Sequence[Sequence[str]], *, max_length: int | None = None
) -> list[Choice]: ...
def choose(
    runner: Runner,
    prompt: str | list[str],
    choices: Sequence[str] | Sequence[Sequence[str]],
    *,
    max_length: int | None = None,
) -> Choice | list[Choice]:
    """Which of several texts goes with a prompt; for a list of prompts a list of choices each.

    Raises InputError for fewer than two choices, ModelError without a multiple-choice head.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    given: list[Any] = [choices] if isinstance(prompt, str) else list(choices)
    if len(given) != len(prompts):
        raise InputError(f"choose: {len(prompts)} prompts and choices for {len(given)}, expected some for each")
    if not prompts:
        return []
    for found in given:
        if isinstance(found, str) or len(found) < 2:
            raise InputError(f"choose: found {found!r}, expected a list of at least two choices")
        check_texts("choose", found, "choice")
    check_texts("choose", prompts, "prompt")
    head = runner.task(NAME)
    length = runner.row_length(NAME, max_length)
    answers = [Choice(asked) for asked in prompts]
    questions = [(asked, *offered) for asked, offered in zip(prompts, given, strict=True)]
    places = indices_with_tokens(runner.tokenizer, questions, "question", lacking="no choice")
    if places:
        asked, offered = [prompts[place] for place in places], [given[place] for place in places]
        encoded = encode_choices(runner.tokenizer, asked, offered, max_length=length)
        warn_truncated(encoded, length, "prompts with their choices")
        outputs = runner.head_outputs(head, encoded)
        for place, scores, cut in zip(places, outputs, encoded.truncated_tokens, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, head.temperature)
            answers[place] = Choice(prompts[place], given[place][index], index, shares, cut)
    return answers[0] if isinstance(prompt, str) else answers

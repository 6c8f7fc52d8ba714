"""choose: the text that goes with a prompt."""

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
class PredictedChoice(Result):
    """The choice that goes with a prompt, its index from 0, and the probabilities of all choices in order.

    All three are None if the prompt or a choice has no token.
    """

    prompt: str
    choice: str | None = None
    index: int | None = None
    probabilities: list[float] | None = None
    truncated_tokens: int = 0


@overload
def choose(
    runner: Runner, prompt: str, choices: Sequence[str], *, max_length: int | None = None
) -> PredictedChoice: ...
@overload
def choose(
    runner: Runner, prompt: list[str], choices: Sequence[Sequence[str]], *, max_length: int | None = None
) -> list[PredictedChoice]: ...
def choose(
    runner: Runner,
    prompt: str | list[str],
    choices: Sequence[str] | Sequence[Sequence[str]],
    *,
    max_length: int | None = None,
) -> PredictedChoice | list[PredictedChoice]:
    """Choose the text that goes with a prompt, or, for a list of prompts and a list of choices for each, with each.

    Raises InputError for fewer than two choices, ModelError if the model has no multiple-choice head.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    given: list[Any] = [choices] if isinstance(prompt, str) else list(choices)
    if len(given) != len(prompts):
        raise InputError(
            f"choose: found {len(prompts)} prompts and {len(given)} lists of choices, expected one list per prompt"
        )
    if not prompts:
        return []
    for found in given:
        if isinstance(found, str) or len(found) < 2:
            raise InputError(f"choose: found {found!r}, expected a list of at least two choices")
        check_texts("choose", found, "choice")
    check_texts("choose", prompts, "prompt")
    head = runner.task(NAME)
    length = runner.row_length(NAME, max_length)
    answers = [PredictedChoice(requested_prompt) for requested_prompt in prompts]
    questions = [
        (requested_prompt, *offered_choices) for requested_prompt, offered_choices in zip(prompts, given, strict=True)
    ]
    places = indices_with_tokens(runner.tokenizer, questions, "question", empty_answer="no choice")
    if places:
        requested_prompt, offered_choices = [prompts[place] for place in places], [given[place] for place in places]
        encoded = encode_choices(runner.tokenizer, requested_prompt, offered_choices, max_length=length)
        warn_truncated(encoded, length, "prompts with their choices")
        outputs = runner.head_outputs(head, encoded)
        for place, scores, cut in zip(places, outputs, encoded.truncated_tokens, strict=True):
            index, shares = int(scores.argmax()), probabilities(scores, head.temperature)
            answers[place] = PredictedChoice(prompts[place], given[place][index], index, shares, cut)
    return answers[0] if isinstance(prompt, str) else answers

"""next-sentence: whether B is the sentence after A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertsmith.config.verb import Result
from bertsmith.metrics.probabilities import softmax
from bertsmith.tasks.encoded_texts import encode_texts
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.text_checks import check_input_lengths, check_texts, indices_with_tokens

LABELS = ("IsNext", "NotNext")


@dataclass(frozen=True)
class NextSentence(Result):
    """Whether B is the sentence after A. In `logits`, index 0 is IsNext.

    All fields are None if A or B has no token. `warnings` has reasons not to rely on the prediction, if any.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ("warnings",)

    is_next_probability: float | None = None
    label: str | None = None
    logits: list[float] | None = None
    warnings: list[str] | None = None


def next_sentence(runner: Runner, a: str, b: str) -> NextSentence:
    """Predict whether B is the sentence after A; there is no label if A or B has no token.

    Raises InputError if the pair is longer than the model allows, ModelError if the model has no trained NSP head.
    """
    run = runner.forward("next-sentence")
    check_texts("next-sentence", [a, b])
    encoded = encode_texts(runner.tokenizer, [a], [b], runner.max_length)
    check_input_lengths(encoded, "next-sentence", runner.max_length)
    if not indices_with_tokens(runner.tokenizer, [(a, b)], "pair", empty_answer="no label"):
        return NextSentence(warnings=runner.head_warnings("nsp"))
    ((_, (logits,)),) = run(encoded)
    return NextSentence(
        float(softmax(logits)[0]), LABELS[int(logits.argmax())], logits.tolist(), runner.head_warnings("nsp")
    )

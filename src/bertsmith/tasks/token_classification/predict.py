"""tag: the entities of a text, or the label of each word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

from bertsmith.config.verb import Result
from bertsmith.tasks.runner import Runner
from bertsmith.tasks.text_checks import check_texts, indices_with_tokens, warn_truncated
from bertsmith.tasks.token_classification.encoding import encode_words
from bertsmith.tasks.words_of_text import WordTokenIds, words_of_text

NAME = "token-classification"


@dataclass(frozen=True)
class TaggedEntity(Result):
    """An entity, `text[start:end]` in characters; `score` is the mean probability of its words."""

    label: str
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Tagging(Result):
    """The entities of a text in order; none if the text has no token."""

    text: str
    entities: list[TaggedEntity]


@overload
def tag(runner: Runner, text: str, *, max_length: int | None = None) -> Tagging: ...
@overload
def tag(runner: Runner, text: list[str], *, max_length: int | None = None) -> list[Tagging]: ...
def tag(runner: Runner, text: str | list[str], *, max_length: int | None = None) -> Tagging | list[Tagging]:
    """Return the entities of a text; with plain labels (parts of speech), every word.

    Words are what the tokenizer sees as words: for BERT, runs of letters and digits, and single punctuation marks. A
    text of more than `max_length` tokens (default: the length that the model was fine-tuned with) is read in
    overlapping windows. Raises ModelError if the model has no tagging head.
    """
    texts = [text] if isinstance(text, str) else list(text)
    check_texts("tag", texts)
    head = runner.task(NAME)
    length = runner.row_length(NAME, max_length)
    answers = [Tagging(given, []) for given in texts]
    indices_with_tokens(runner.tokenizer, [(given,) for given in texts], "text", empty_answer="no label")
    pieces: list[WordTokenIds] = []
    places: list[tuple[int, list[tuple[int, int]]]] = []
    for number, (words, spans) in enumerate(words_of_text(runner.tokenizer, texts)):
        if words:
            pieces.append(words)
            places.append((number, spans))
    if pieces:
        inputs = encode_words(runner.tokenizer, iter(pieces), length)
        warn_truncated(inputs, length)
        outputs = runner.head_outputs(head, inputs)
        for (number, spans), found in zip(places, head.spans(outputs), strict=True):
            for span in found:
                start, end = spans[span.start][0], spans[span.end - 1][1]
                entity = TaggedEntity(span.label, texts[number][start:end], start, end, span.score)
                answers[number].entities.append(entity)
    return answers[0] if isinstance(text, str) else answers

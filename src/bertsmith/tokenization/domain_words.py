"""Add the words of a text to the vocabulary of a MODEL, and measure the gain on a tenth of the text set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bertsmith.errors import DataError, ModelError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tokenization.extension import check_wordpiece, choose_words, extend, is_validation_text, words_of
from bertsmith.tokenization.folder import attach_record, extension_record
from bertsmith.tokenization.measures import TokenizerFit, compare_tokenizers
from bertsmith.tokenization.word_counts import count_chunks

Text = list[list[str]]
"""A document: its paragraphs, each a list of sentences."""

LEVELS: dict[str, Callable[[Text], Iterator[list[str]]]] = {
    "documents": lambda text: iter([[sentence for paragraph in text for sentence in paragraph]]),
    "paragraphs": lambda text: iter(text),
    "sentences": lambda text: ([sentence] for paragraph in text for sentence in paragraph),
}
"""Possible units of the validation share: the first level with enough units is used."""
MIN_UNITS = 50


@dataclass(frozen=True)
class WordRequest:
    """A request to add up to `add` words that occur at least `min_count` times to the tokenizer of a MODEL.

    `option` is the flag that sets `add`; `remedy` tells how to get more words. Both appear in messages.
    """

    model: str
    add: int
    min_count: int
    option: str
    remedy: str


@dataclass(frozen=True)
class ExtendedTokenizer:
    """An extended tokenizer with its record, and the fit of base and extension on the validation share."""

    tokenizer: Any
    added: int
    before: TokenizerFit
    after: TokenizerFit


def check_extendable(tokenizer: Any, model: str) -> None:
    """Raise ModelError if a tokenizer is not BERT's, or is already extended."""
    check_wordpiece(tokenizer, model)
    if extension_record(tokenizer) is not None:
        raise ModelError(
            f"{model}: the tokenizer is already extended. Try: extend the original model with all of the text in one "
            "call, or extend a RUN that was trained with this tokenizer"
        )


def add_domain_words(
    base: Any, documents: Callable[[], Iterator[Text]], request: WordRequest, *, sources: Sequence[str]
) -> ExtendedTokenizer:
    """Return the tokenizer with the words of a text that save the most tokens. The same text gives the same tokenizer.

    `documents` returns an iterator over the text at each call; the record stores its `sources`.

    Raises DataError if the text is too small, has no such word, or the validation share shows no gain.
    """
    training, validation, level = _split_text(documents)
    chosen = choose_words(base, words_of(base, training), add=request.add, min_count=request.min_count)
    _check_number(request, len(chosen))
    extended, extension = extend(base, chosen)
    before, after = compare_tokenizers({"before": base, "after": extended}, words_of(base, validation))
    _check_gain(request, before, after)
    figures = {
        f"{name}_{when}": getattr(row, name)
        for name in ("tokens_per_word", "unknown_rate", "vocabulary_used")
        for when, row in (("before", before), ("after", after))
    }
    measured_on = f"a tenth of the text, by {level}"
    measured = {"measured_on": measured_on, **figures}
    attach_record(
        extended, extension.model_copy(update={"model": request.model, "sources": list(sources), **measured}).to_dict()
    )
    log_info(
        f"measured on {measured_on}; the words that save the most tokens: "
        f"{', '.join(word for word, _, _ in chosen[:10])}"
    )
    return ExtendedTokenizer(extended, len(chosen), before, after)


def _split_text(documents: Callable[[], Iterator[Text]]) -> tuple[Counter[str], Counter[str], str]:
    """Return the chunks to choose words from, the chunks to measure on, and the unit of the split.

    A unit (document, paragraph or sentence) is assigned by its text only, not by the names or order of files. Raises
    DataError if there is too little text for both.
    """
    units = Counter(dict.fromkeys(LEVELS, 0))
    for text in documents():
        units.update({level: sum(1 for _ in parts(text)) for level, parts in LEVELS.items()})
    for level, parts in LEVELS.items():
        if units[level] < MIN_UNITS:
            continue
        training: Counter[str] = Counter()
        validation: Counter[str] = Counter()
        for text in documents():
            for unit in parts(text):
                (validation if is_validation_text("\n".join(unit)) else training).update(count_chunks(unit))
        if training and validation.total() >= training.total() / 100:
            return training, validation, level
    raise DataError(
        f"the text is too small: found {units['documents']:,} documents with {units['sentences']:,} sentences, "
        f"expected at least {MIN_UNITS} sentences (better thousands). Try: add text"
    )


def _check_number(request: WordRequest, found: int) -> None:
    if found == 0:
        raise DataError(
            f"{request.option} {request.add}: found no word to add: every word that occurs at least "
            f"{request.min_count} times is already a single token of {request.model}. "
            f"Try: {request.remedy}, or use {request.model} as it is"
        )
    if found < request.add:
        warn(
            f"only {found:,} of {request.add:,} words are added: no other word of several tokens occurs at least "
            f"{request.min_count} times. To add more, try {request.remedy}"
        )


def _check_gain(request: WordRequest, before: TokenizerFit, after: TokenizerFit) -> None:
    """Raise DataError if the validation share shows no gain; warn if it shows only part of one."""
    # Per word, because with fewer tokens in total the same number of unknown tokens is a larger share.
    unknown = [row.unknown_rate * row.tokens_per_word for row in (before, after)]
    fewer_tokens = after.tokens_per_word < before.tokens_per_word
    fewer_unknown = unknown[1] < unknown[0] - 1e-12
    if not fewer_tokens and not fewer_unknown:
        raise DataError(
            "the new words bring no gain: on the tenth of the text used for measuring, the tokenizer of "
            f"{request.model} has {before.tokens_per_word:.4f} tokens per word, and {after.tokens_per_word:.4f} with "
            f"the new words. Try: more text, or use {request.model} as it is"
        )
    if not fewer_tokens:
        warn(
            f"fewer words are unknown ({unknown[0]:.3%} before, {unknown[1]:.3%} after), but tokens per word do not "
            f"decrease ({before.tokens_per_word:.4f} before, {after.tokens_per_word:.4f} after)"
        )
    elif unknown[1] > unknown[0] + 1e-12:
        warn(
            f"more words are unknown ({unknown[0]:.3%} before, {unknown[1]:.3%} after): some begin with a new word, "
            f"and the vocabulary cannot spell the rest. To avoid this, try a smaller {request.option}"
        )

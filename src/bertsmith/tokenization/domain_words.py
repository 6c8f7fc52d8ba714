"""The words of a text for the vocabulary of a MODEL, and what they gain on a tenth of it that was kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bertsmith.errors import DataError, ModelError
from bertsmith.runtime.console import log_info, warn
from bertsmith.tokenization.extension import check_wordpiece, choose_words, extend, is_kept_apart, words_of
from bertsmith.tokenization.folder import attach_record, record_of
from bertsmith.tokenization.measures import Fit, compare
from bertsmith.tokenization.word_counts import count_chunks

Text = list[list[str]]
"""A document: its paragraphs, each a list of sentences."""

LEVELS: dict[str, Callable[[Text], Iterator[list[str]]]] = {
    "documents": lambda text: iter([[sentence for paragraph in text for sentence in paragraph]]),
    "paragraphs": lambda text: iter(text),
    "sentences": lambda text: ([sentence] for paragraph in text for sentence in paragraph),
}
"""What the share that is kept apart is made of: the first of these of which there are enough."""
ENOUGH = 50


@dataclass(frozen=True)
class Wanted:
    """What is asked for: at most `add` words that occur `min_count` times, beyond the tokenizer of a MODEL.

    `option` is the flag that asks for `add` words, `remedy` what gives more of them; both are used in messages.
    """

    model: str
    add: int
    min_count: int
    option: str
    remedy: str


@dataclass(frozen=True)
class WithNewWords:
    """An extended tokenizer that carries its record, and how it and its base read the share that was kept apart."""

    tokenizer: Any
    added: int
    before: Fit
    after: Fit


def check_extendable(tokenizer: Any, model: str) -> None:
    """Raise ModelError for a tokenizer that is not BERT's, or is an extension already."""
    check_wordpiece(tokenizer, model)
    if record_of(tokenizer) is not None:
        raise ModelError(
            f"{model}: is the extension of a tokenizer already. Extend the model that it was made from, with "
            "all of the text in one call, or a RUN that was trained with it"
        )


def with_new_words(
    base: Any, documents: Callable[[], Iterator[Text]], wanted: Wanted, *, sources: Sequence[str]
) -> WithNewWords:
    """The tokenizer with the words of a text that save the most pieces; the same text gives the same one.

    `documents` gives the text as often as it is called; the record names its `sources`.

    Raises DataError where the text is too small, has no such word, or nothing is gained on the share kept apart.
    """
    training, kept, level = _divide(documents)
    chosen = choose_words(base, words_of(base, training), add=wanted.add, min_count=wanted.min_count)
    _check_number(wanted, len(chosen))
    extended, extension = extend(base, chosen)
    before, after = compare({"before": base, "after": extended}, words_of(base, kept))
    _check_gain(wanted, before, after)
    figures = {
        f"{name}_{when}": getattr(row, name)
        for name in ("tokens_per_word", "unknown_rate", "vocabulary_used")
        for when, row in (("before", before), ("after", after))
    }
    measured_on = f"a tenth of the text, by {level}"
    measured = {"measured_on": measured_on, **figures}
    attach_record(
        extended, extension.model_copy(update={"model": wanted.model, "sources": list(sources), **measured}).to_dict()
    )
    log_info(f"measured on {measured_on}; the words that save most: {', '.join(word for word, _, _ in chosen[:10])}")
    return WithNewWords(extended, len(chosen), before, after)


def _divide(documents: Callable[[], Iterator[Text]]) -> tuple[Counter[str], Counter[str], str]:
    """The chunks of the text to choose from and of the share to measure on, and what was divided.

    Which side a document (or a paragraph, or a sentence) is on follows only from its text, not from the names or the
    order of files. Raises DataError where there is too little text for both.
    """
    units = Counter(dict.fromkeys(LEVELS, 0))
    for text in documents():
        units.update({level: sum(1 for _ in parts(text)) for level, parts in LEVELS.items()})
    for level, parts in LEVELS.items():
        if units[level] < ENOUGH:
            continue
        training: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        for text in documents():
            for unit in parts(text):
                (kept if is_kept_apart("\n".join(unit)) else training).update(count_chunks(unit))
        if training and kept.total() >= training.total() / 100:
            return training, kept, level
    raise DataError(
        f"the text is too small: {units['documents']:,} documents of {units['sentences']:,} sentences, and a tenth is "
        f"kept apart to measure what was gained; expected at least {ENOUGH} sentences, and better thousands. Add text."
    )


def _check_number(wanted: Wanted, found: int) -> None:
    if found == 0:
        raise DataError(
            f"{wanted.option} {wanted.add}: no word to add: every word that occurs {wanted.min_count} times is one "
            f"token of {wanted.model} already. Give {wanted.remedy}, or use {wanted.model} as it is."
        )
    if found < wanted.add:
        warn(
            f"{wanted.add:,} words were asked for, {found:,} are added: no other word of several tokens occurs "
            f"{wanted.min_count} times. To have more, give {wanted.remedy}."
        )


def _check_gain(wanted: Wanted, before: Fit, after: Fit) -> None:
    """Raise DataError where the kept share is read no better than before, warn where it is in part."""
    # By words: among fewer tokens the same number of unknown ones is a larger share.
    unknown = [row.unknown_rate * row.tokens_per_word for row in (before, after)]
    fewer_tokens = after.tokens_per_word < before.tokens_per_word
    fewer_unknown = unknown[1] < unknown[0] - 1e-12
    if not fewer_tokens and not fewer_unknown:
        raise DataError(
            f"nothing was gained: the tenth of the text that was kept apart has {before.tokens_per_word:.4f} tokens a "
            f"word with the tokenizer of {wanted.model} and {after.tokens_per_word:.4f} with the new words, which "
            f"occur in the rest of the text. Give more text, or use {wanted.model} as it is."
        )
    if not fewer_tokens:
        warn(
            f"tokens a word do not fall ({before.tokens_per_word:.4f} before, {after.tokens_per_word:.4f} after); what "
            f"is gained is that fewer words are unknown ({unknown[0]:.3%} before, {unknown[1]:.3%} after)"
        )
    elif unknown[1] > unknown[0] + 1e-12:
        warn(
            f"more words are unknown than before ({unknown[0]:.3%} before, {unknown[1]:.3%} after): some begin with a "
            f"new word and cannot be spelled behind it. A smaller {wanted.option} avoids them."
        )

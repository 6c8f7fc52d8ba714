"""The tokenizer of a STORE: trained on the training part, or that of a MODEL, which can take words of the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertsmith.config.extend_tokenizer import MIN_COUNT
from bertsmith.corpus.preparation.state import PreparationState
from bertsmith.corpus.stages.count import count_words
from bertsmith.corpus.text import texts_of
from bertsmith.runtime.console import progress
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tokenization.alphabet import Alphabet, covering_alphabet
from bertsmith.tokenization.domain_words import Wanted, with_new_words
from bertsmith.tokenization.entries import ROWS, with_unused_rows
from bertsmith.tokenization.folder import save_tokenizer
from bertsmith.tokenization.word_rules import WordRules
from bertsmith.tokenization.wordpiece import train_wordpiece

VOCABULARY_STEPS = (30_528, 16_384, 8_192, 4_096, 2_048, 1_024)
CHARACTERS_PER_ENTRY = 1_000


def make_tokenizer(work: PreparationState) -> None:
    """Take, extend or train the tokenizer, with the choices that were made for it, and save it in the STORE."""
    work.choices.clear()
    if work.base is None:
        work.tokenizer = _trained(work)
    elif work.options.add_words is None:
        work.tokenizer = work.base
    else:
        work.tokenizer = _extended(work, work.base, work.options.add_words)
    save_tokenizer(work.tokenizer, work.store / "tokenizer")


def _trained(work: PreparationState) -> Any:
    options = work.options
    with progress("counting words", unit="shards") as bar, work.clock.stage("count words"):
        as_written = count_words(work.corpus, lambda done, total: bar.update(done, total=total))
        rules = WordRules.of_text(as_written, cased=options.cased, accents=options.accents)
        words = rules.words(as_written)
        del as_written
    work.choices += rules.choices
    vocabulary = _vocabulary(work, words)
    rows = with_unused_rows(vocabulary)
    if len(rows) > len(vocabulary):
        unused = f"{len(vocabulary):,} entries that are used and {len(rows) - len(vocabulary)} [unused] ones"
        work.choices.append(AutomaticChoice("vocabulary rows", str(len(rows)), f"{unused}, up to a multiple of {ROWS}"))
    return rules.tokenizer(rows)


def _vocabulary(work: PreparationState, words: Mapping[str, int]) -> list[str]:
    """The entries that are trained, of the size that was asked for or is chosen by the text."""
    asked = work.options.vocab_size
    size, reason = asked, ""
    if size is None:
        size, reason = default_vocab_size(work.corpus.characters, covering_alphabet(words))
    alphabet = covering_alphabet(words, size)
    with progress("training the tokenizer", unit="entries") as bar, work.clock.stage("train the tokenizer"):
        vocabulary = train_wordpiece(
            words,
            vocab_size=size,
            alphabet_size=alphabet.size,
            # A size that was asked for is reached with pieces that occur once if need be; one that was chosen here
            # stops before them.
            min_frequency=2 if asked is None else 1,
            fewer=asked is None,
            advance=lambda done, total: bar.update(done, total=total),
        )
    if asked is None:
        if len(vocabulary) < size:
            reason = f"all that the text supports; {size:,} was aimed at, {reason}"
        work.choices.append(AutomaticChoice("vocabulary size", str(len(vocabulary)), reason))
    if alphabet.size < alphabet.characters:
        reason = (
            f"the most frequent of {alphabet.characters:,}; the others are {alphabet.left_out:.2%} of the text, and a "
            "word with one of them is [UNK]"
        )
        work.choices.append(AutomaticChoice("characters", f"{alphabet.size:,}", reason))
    return vocabulary


def _extended(work: PreparationState, base: Any, add: int) -> Any:
    """The tokenizer of a MODEL with words of the training part."""
    model = str(work.options.tokenizer)
    wanted = Wanted(model, add, MIN_COUNT, "--add-words", "more text (extend-tokenizer has --min-count)")
    with work.clock.stage("choose new words"):
        extended = with_new_words(
            base, lambda: texts_of(work.corpus, training_only=True), wanted, sources=work.options.sources
        )
    work.added_words = extended.added
    gain = f"{extended.before.tokens_per_word:.3f} tokens a word became {extended.after.tokens_per_word:.3f}"
    reason = f"{gain}; pretrain --from {model} takes them up"
    work.choices.append(AutomaticChoice("new words", f"{extended.added:,}", reason))
    return extended.tokenizer


def default_vocab_size(characters: int, alphabet: Alphabet) -> tuple[int, str]:
    """The largest usual size that leaves each entry enough text to be learnt, and why.

    Each character is an entry (two if it both begins words and continues them). If they would fill more than half of
    that size, it is the next usual size that is at least twice their number: room for as many pieces of words.
    """
    by_text = next(
        (size for size in VOCABULARY_STEPS if size * CHARACTERS_PER_ENTRY <= characters), VOCABULARY_STEPS[-1]
    )
    by_script = min((size for size in VOCABULARY_STEPS if size >= 2 * alphabet.entries), default=VOCABULARY_STEPS[0])
    if by_script > by_text:
        return by_script, (
            f"twice the {alphabet.entries:,} entries of the {min(alphabet.size, alphabet.characters):,} characters "
            f"that make up {1 - alphabet.left_out:.2%} of the text"
        )
    return by_text, f"about {CHARACTERS_PER_ENTRY:,} characters an entry; the corpus has {characters:,}"

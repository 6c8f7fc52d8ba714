"""The tokenizer of a STORE: trained on the training part, or taken from a MODEL and optionally extended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertsmith.config.extend_tokenizer import MIN_COUNT
from bertsmith.corpus.preparation.state import PreparationState
from bertsmith.corpus.stages.count import count_corpus_words
from bertsmith.corpus.text_source import iterate_texts
from bertsmith.runtime.console import progress
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tokenization.alphabet import Alphabet, covering_alphabet
from bertsmith.tokenization.domain_words import WordRequest, add_domain_words
from bertsmith.tokenization.folder import save_tokenizer
from bertsmith.tokenization.word_rules import WordRules
from bertsmith.tokenization.wordpiece import train_wordpiece
from bertsmith.tokenization.wordpiece_entries import ROWS, with_unused_rows

VOCABULARY_STEPS = (30_528, 16_384, 8_192, 4_096, 2_048, 1_024)
CHARACTERS_PER_ENTRY = 1_000


def create_store_tokenizer(state: PreparationState) -> None:
    """Take, extend or train the tokenizer, record the choices made for it, and save it in the STORE."""
    state.choices.clear()
    if state.base is None:
        state.tokenizer = _trained(state)
    elif state.options.add_words is None:
        state.tokenizer = state.base
    else:
        state.tokenizer = _extended(state, state.base, state.options.add_words)
    save_tokenizer(state.tokenizer, state.store / "tokenizer")


def _trained(state: PreparationState) -> Any:
    options = state.options
    with progress("counting words", unit="shards") as bar, state.timer.stage("count words"):
        as_written = count_corpus_words(state.corpus, lambda done, total: bar.update(done, total=total))
        rules = WordRules.of_text(as_written, cased=options.cased, accents=options.accents)
        words = rules.words(as_written)
        del as_written
    state.choices += rules.choices
    vocabulary = _vocabulary(state, words)
    rows = with_unused_rows(vocabulary)
    if len(rows) > len(vocabulary):
        counts = f"{len(vocabulary):,} entries plus {len(rows) - len(vocabulary)} [unused] ones"
        state.choices.append(AutomaticChoice("vocabulary rows", str(len(rows)), f"{counts}, for a multiple of {ROWS}"))
    return rules.tokenizer(rows)


def _vocabulary(state: PreparationState, words: Mapping[str, int]) -> list[str]:
    """Train the vocabulary, of the requested size or of a size chosen from the text."""
    requested = state.options.vocab_size
    size, reason = requested, ""
    if size is None:
        size, reason = default_vocab_size(state.corpus.characters, covering_alphabet(words))
    alphabet = covering_alphabet(words, size)
    with progress("training the tokenizer", unit="entries") as bar, state.timer.stage("train the tokenizer"):
        vocabulary = train_wordpiece(
            words,
            vocab_size=size,
            alphabet_size=alphabet.size,
            # To reach a requested size, entries may occur only once; a chosen size stops before them.
            min_frequency=2 if requested is None else 1,
            fewer=requested is None,
            advance=lambda done, total: bar.update(done, total=total),
        )
    if requested is None:
        if len(vocabulary) < size:
            reason = f"the most that the text supports; the target was {size:,}, {reason}"
        state.choices.append(AutomaticChoice("vocabulary size", str(len(vocabulary)), reason))
    if alphabet.size < alphabet.characters:
        reason = (
            f"the most frequent of {alphabet.characters:,}; the others make up {alphabet.left_out:.2%} of the text, "
            "and words that contain them become [UNK]"
        )
        state.choices.append(AutomaticChoice("characters", f"{alphabet.size:,}", reason))
    return vocabulary


def _extended(state: PreparationState, base: Any, add: int) -> Any:
    """Extend the tokenizer of a MODEL with words of the training part."""
    model = str(state.options.tokenizer)
    request = WordRequest(model, add, MIN_COUNT, "--add-words", "more text (extend-tokenizer has --min-count)")
    with state.timer.stage("choose new words"):
        extended = add_domain_words(
            base, lambda: iterate_texts(state.corpus, training_only=True), request, sources=state.options.sources
        )
    state.added_words = extended.added
    gain = f"{extended.before.tokens_per_word:.3f} tokens per word before, {extended.after.tokens_per_word:.3f} after"
    reason = f"{gain}; pretrain --from {model} trains their vectors"
    state.choices.append(AutomaticChoice("new words", f"{extended.added:,}", reason))
    return extended.tokenizer


def default_vocab_size(characters: int, alphabet: Alphabet) -> tuple[int, str]:
    """Choose the largest standard size that leaves each entry enough text to be trained on; return it with the reason.

    Each character is an entry (two if it both starts and continues words). If these entries would fill more than half
    of that size, take the next standard size that is at least twice their number, to leave room for longer entries.
    """
    by_text = next(
        (size for size in VOCABULARY_STEPS if size * CHARACTERS_PER_ENTRY <= characters), VOCABULARY_STEPS[-1]
    )
    by_script = min((size for size in VOCABULARY_STEPS if size >= 2 * alphabet.entries), default=VOCABULARY_STEPS[0])
    if by_script > by_text:
        return by_script, (
            f"twice the {alphabet.entries:,} entries for the {min(alphabet.size, alphabet.characters):,} characters "
            f"that make up {1 - alphabet.left_out:.2%} of the text"
        )
    return by_text, f"about {CHARACTERS_PER_ENTRY:,} characters per entry; the corpus has {characters:,}"

"""extend-tokenizer: the tokenizer of a MODEL and a SOURCE to a tokenizer folder with the words of the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bertsmith.config.extend_tokenizer import ExtendTokenizerOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.reading import SourceFile, find_files
from bertsmith.corpus.text import read_text, reading_of, texts_of
from bertsmith.errors import DataError, ModelError
from bertsmith.runtime.console import say, warn
from bertsmith.runtime.files import publish_folder, work_folder
from bertsmith.runtime.machine import cores
from bertsmith.tokenization.extension import (
    check_wordpiece,
    choose_words,
    extend,
    is_kept_apart,
    words_of,
)
from bertsmith.tokenization.folder import attach_record, load_tokenizer, record_of, save_tokenizer
from bertsmith.tokenization.measures import Fit, compare
from bertsmith.tokenization.wordpiece import count_chunks

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
class ExtendTokenizerResult(Result):
    """What was added, and how the tokenizer reads the kept share of the text before and after."""

    tokenizer: Path
    vocab_size: int
    sha256: str
    added: int
    tokens_per_word: dict[str, float]
    unknown_rate: dict[str, float]
    vocabulary_used: dict[str, float]

    def rows(self) -> list[Fit]:
        """The figures as a comparison of two tokenizers."""
        sizes = {"before": self.vocab_size - self.added, "after": self.vocab_size}
        return [
            Fit(name, size, self.tokens_per_word[name], self.unknown_rate[name], self.vocabulary_used[name])
            for name, size in sizes.items()
        ]


@verb(ExtendTokenizerOptions)
def extend_tokenizer(options: ExtendTokenizerOptions) -> ExtendTokenizerResult:
    """Add the words of a text to the WordPiece vocabulary of a MODEL: those whose pieces are the most tokens.

    A tenth of the text is kept apart: no word is chosen by it, and what was gained is measured there. The folder also
    holds extension.json, the record by which `pretrain --from` gives each new word the mean of its old pieces. The
    same text gives the same file.
    """
    base = load_tokenizer(options.model)
    check_wordpiece(base, options.model)
    if record_of(base) is not None:
        raise ModelError(
            f"{options.model}: is the extension of a tokenizer already. Extend the model that it was made from, with "
            "all of the text in one call, or a RUN that was trained with it"
        )
    files = find_files(options.sources)
    with work_folder(options.out, overwrite=options.overwrite, verb="extend-tokenizer") as aside:
        training, kept, level = _divide(_read(options, files, aside))
        chosen = choose_words(base, words_of(base, training), add=options.add, min_count=options.min_count)
        _check_number(options, len(chosen))
        extended, extension = extend(base, chosen)
        before, after = compare({"before": base, "after": extended}, words_of(base, kept))
        _check_gain(options, before, after)
        figures = {
            f"{name}_{when}": getattr(row, name)
            for name in ("tokens_per_word", "unknown_rate", "vocabulary_used")
            for when, row in (("before", before), ("after", after))
        }
        measured_on = f"a tenth of the text, by {level}"
        sources = {"model": options.model, "sources": list(options.sources), "measured_on": measured_on}
        attach_record(extended, replace(extension, figures={**sources, **figures}).to_dict())
        sha256 = save_tokenizer(extended, aside / "tokenizer")
        publish_folder(aside / "tokenizer", options.out)
    say(f"measured on {measured_on}; the words that save most: {', '.join(word for word, _, _ in chosen[:10])}")
    return ExtendTokenizerResult(
        tokenizer=options.out,
        vocab_size=len(extended),
        sha256=sha256,
        added=len(chosen),
        tokens_per_word={row.name: row.tokens_per_word for row in (before, after)},
        unknown_rate={row.name: row.unknown_rate for row in (before, after)},
        vocabulary_used={row.name: row.vocabulary_used for row in (before, after)},
    )


def _read(options: ExtendTokenizerOptions, files: Sequence[SourceFile], aside: Path) -> Callable[[], Iterator[Text]]:
    """Read and clean the sources once; the function that is returned gives their documents as often as it is called."""
    corpus = read_text(
        aside, files, reading_of(options), max_documents=options.max_documents, workers=options.workers or cores()
    )
    return lambda: texts_of(corpus)


def _divide(documents: Callable[[], Iterator[Text]]) -> tuple[Counter[str], Counter[str], str]:
    """The chunks of the text to choose from and of the share to measure on, and what was divided.

    Which side a document (or a paragraph, or a sentence) is on follows from its text alone: not from the names or the
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


def _check_number(options: ExtendTokenizerOptions, found: int) -> None:
    if found == 0:
        raise DataError(
            f"--add {options.add}: no word to add: every word that occurs {options.min_count} times is one token of "
            f"{options.model} already. Give more text or a smaller --min-count, or use {options.model} as it is."
        )
    if found < options.add:
        warn(
            f"{options.add:,} words were asked for, {found:,} are added: no other word of several tokens occurs "
            f"{options.min_count} times. More text or a smaller --min-count gives more."
        )


def _check_gain(options: ExtendTokenizerOptions, before: Fit, after: Fit) -> None:
    """Raise DataError where the kept share is read no better than before, warn where it is in part."""
    # By words: among fewer tokens the same number of unknown ones is a larger share.
    unknown = [row.unknown_rate * row.tokens_per_word for row in (before, after)]
    fewer_tokens = after.tokens_per_word < before.tokens_per_word
    fewer_unknown = unknown[1] < unknown[0] - 1e-12
    if not fewer_tokens and not fewer_unknown:
        raise DataError(
            f"nothing was gained: the tenth of the text that was kept apart has {before.tokens_per_word:.4f} tokens a "
            f"word with the tokenizer of {options.model} and {after.tokens_per_word:.4f} with the new words, which "
            f"occur in the rest of the text. Give more text, or use {options.model} as it is."
        )
    if not fewer_tokens:
        warn(
            f"tokens a word do not fall ({before.tokens_per_word:.4f} before, {after.tokens_per_word:.4f} after); what "
            f"is gained is that fewer words are unknown ({unknown[0]:.3%} before, {unknown[1]:.3%} after)"
        )
    elif unknown[1] > unknown[0] + 1e-12:
        warn(
            f"more words are unknown than before ({unknown[0]:.3%} before, {unknown[1]:.3%} after): some begin with a "
            "new word and cannot be spelled behind it. A smaller --add avoids them."
        )
